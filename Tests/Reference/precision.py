"""A few training steps in every precision, with torch.amp on the CPU: clipping, overflow, growth of the loss scale."""

import contextlib

import torch
from torch import nn

import output
import workloads

STEPS = 8
AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
TRUE = {"64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}
PLAIN = {"clip_norm": None, "overflow_step": None, "initial_scale": 65536.0, "growth_interval": 2000, "optimizer": "sgd"}
# Half precision kernels differ between processors.
TOLERANCE = {"64-true": 1e-12, "32-true": 1e-5, "16-mixed": 1e-3, "16-true": 2e-3, "bf16-mixed": 2e-3, "bf16-true": 1e-2}
RUNS = {
    "64-true": {"precision": "64-true"},
    "64-true-clipped": {"precision": "64-true", "clip_norm": 0.1},
    "32-true": {"precision": "32-true"},
    "32-true-clipped": {"precision": "32-true", "clip_norm": 0.1},
    "bf16-mixed": {"precision": "bf16-mixed"},
    "bf16-mixed-clipped": {"precision": "bf16-mixed", "clip_norm": 0.1},
    "16-mixed": {"precision": "16-mixed"},
    "16-mixed-clipped": {"precision": "16-mixed", "clip_norm": 0.1},
    "16-mixed-overflow": {"precision": "16-mixed", "overflow_step": 3, "growth_interval": 2},
    "16-mixed-overflow-adamw": {"precision": "16-mixed", "overflow_step": 3, "optimizer": "adamw"},
    "16-mixed-large-scale": {"precision": "16-mixed", "initial_scale": 2.0**24, "growth_interval": 3, "clip_norm": 0.1},
    "bf16-true": {"precision": "bf16-true"},
    "bf16-true-adamw": {"precision": "bf16-true", "optimizer": "adamw"},
    "16-true": {"precision": "16-true"},
}


def make():
    """The model and the batches: [STEPS, 12, 6] inputs with classes 0, 1, 2."""
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(workloads.uniform(70 + number, parameter.shape, 0.6))
    inputs = workloads.uniform(80, (STEPS, 12, 6), 1.0)
    labels = (inputs.sum(-1).mul(3).floor().long() % 3).clone()
    return model, inputs, labels


def train(run):
    model, inputs, labels = make()
    precision = run["precision"]
    dtype = TRUE.get(precision, torch.float32)
    model, inputs = model.to(dtype), inputs.to(dtype)
    parameters = list(model.parameters())
    if run["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(parameters, lr=0.2, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(parameters, lr=0.02)
    scaler = None
    if precision == "16-mixed":
        scaler = torch.amp.GradScaler(
            "cpu", init_scale=run["initial_scale"], growth_interval=run["growth_interval"])
    losses, norms, scales, done = [], [], [], []
    for step in range(STEPS):
        mixed = precision in AUTOCAST
        with torch.autocast("cpu", AUTOCAST[precision]) if mixed else contextlib.nullcontext():
            loss = nn.functional.cross_entropy(model(inputs[step]), labels[step])
        optimizer.zero_grad()
        (scaler.scale(loss) if scaler else loss).backward()
        if step == run["overflow_step"]:
            parameters[0].grad[1, 2] = float("inf")
        if scaler:
            scaler.unscale_(optimizer)
        if run["clip_norm"] is not None:
            norms.append(output.number(nn.utils.clip_grad_norm_(parameters, run["clip_norm"]).item()))
        before = parameters[0].detach().clone()
        if scaler:
            scaler.step(optimizer)
            scaler.update()
            scales.append(scaler.get_scale())
        else:
            optimizer.step()
        done.append(not torch.equal(before, parameters[0]))
        losses.append(loss.item())
    result = {**run, "relative_tolerance": TOLERANCE[precision], "losses": losses, "stepped": done}
    if norms:
        result["gradient_norms"] = norms
    if scaler:
        result["scales"] = scales
        result["scaler"] = scaler.state_dict()
    result["final_weights"] = output.tensors(model.state_dict())
    return result


if __name__ == "__main__":
    torch.set_num_threads(1)
    model, inputs, labels = make()
    content = {
        "relative_tolerance": 1e-5,
        "weights": output.tensors(model.state_dict()),
        "inputs": output.tensor(inputs),
        "labels": output.tensor(labels),
        "runs": {name: train({**PLAIN, **run}) for name, run in RUNS.items()},
    }
    output.write("precision.json", content)

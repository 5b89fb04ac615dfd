"""Optimizer updates on two small tensors, gradient clipping, and learning rates of every schedule."""

from functools import partial

import torch
from torch.optim import lr_scheduler, swa_utils

import output
from workloads import uniform

SHAPES = ((3, 2), (4,))
STEPS = 5
REPORTED = (1, 2, 5)

CASES = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd-momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd-dampening": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "sgd-nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd-weight-decay": ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    "sgd-all": ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    "sgd-maximize": ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam-weight-decay": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    "adam-amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True}),
    "adamw": ("AdamW", {"lr": 0.01}),
    "adamw-weight-decay": ("AdamW", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    "adamw-amsgrad": ("AdamW", {"lr": 0.01, "amsgrad": True}),
    "adamw-maximize": ("AdamW", {"lr": 0.01, "maximize": True}),
    # In the second step the second tensor has no gradient: neither it nor its state may change.
    "sgd-missing-gradient": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}),
    "adamw-missing-gradient": ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
}

LEARNING_RATE = 0.1
SCHEDULE_STEPS = 20
METRICS = [1.0, 0.9, 0.9, 0.95, 0.91, 0.8, 0.81, 0.82, 0.8, 0.83]
METRICS += [0.7, 0.6999, 0.7, 0.75, 0.7, 0.7, 0.6, 0.65, 0.66, 0.67]

SCHEDULES = {
    "step": ("StepLR", {"step_size": 3, "gamma": 0.5}),
    "multi-step": ("MultiStepLR", {"milestones": [2, 5, 5, 11], "gamma": 0.3}),
    "constant": ("ConstantLR", {"factor": 0.25, "total_iters": 4}),
    "linear": ("LinearLR", {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 6}),
    "exponential": ("ExponentialLR", {"gamma": 0.9}),
    "cosine": ("CosineAnnealingLR", {"T_max": 12, "eta_min": 0.001}),
    "cosine-whole": ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.0}),
    "cosine-warm-restarts": ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2, "eta_min": 0.001}),
    "plateau": ("ReduceLROnPlateau", {"mode": "min", "factor": 0.5, "patience": 1}),
    "plateau-cooldown": (
        "ReduceLROnPlateau",
        {"mode": "min", "factor": 0.5, "patience": 0, "cooldown": 2, "threshold_mode": "abs", "min_lr": 0.02},
    ),
    "averaging-cosine": ("SWALR", {"swa_lr": 0.02, "anneal_epochs": 7}),
    "averaging-linear": ("SWALR", {"swa_lr": 0.5, "anneal_epochs": 4, "anneal_strategy": "linear"}),
    "averaging-at-once": ("SWALR", {"swa_lr": 0.02, "anneal_epochs": 0}),
    "plateau-max": ("ReduceLROnPlateau", {"mode": "max", "factor": 0.1, "patience": 2, "threshold": 0.01}),
}


def gradients():
    """One list of gradients per step."""
    return [[uniform(7100 + 10 * step + k, shape, 2.0) for k, shape in enumerate(SHAPES)] for step in range(STEPS)]


def update(name, kind, options, dtype):
    parameters = [torch.nn.Parameter(uniform(7000 + k, shape, 2.0).to(dtype)) for k, shape in enumerate(SHAPES)]
    optimizer = getattr(torch.optim, kind)(parameters, **options)
    after = {}
    for step, values in enumerate(gradients(), start=1):
        for parameter, value in zip(parameters, values, strict=True):
            parameter.grad = value.to(dtype)
        if name.endswith("missing-gradient") and step == 2:
            parameters[1].grad = None
        optimizer.step()
        if step in REPORTED:
            after[str(step)] = [output.tensor(parameter) for parameter in parameters]
    state = {
        str(index): {
            key: output.tensor(value) if isinstance(value, torch.Tensor) else value for key, value in entry.items()
        }
        for index, entry in optimizer.state_dict()["state"].items()
    }
    return {"after": after, "state": state}, optimizer.state_dict()["param_groups"]


def updates():
    for name, (kind, options) in CASES.items():
        single, groups = update(name, kind, options, torch.float32)
        double, _ = update(name, kind, options, torch.float64)
        yield {
            "name": name,
            "optimizer": kind,
            "options": options,
            "param_groups": groups,
            "float32": single,
            "float64": double,
        }


def clipping():
    values = gradients()[0]
    for maximum in (0.5, 100.0):
        for norm_type in (2.0, 1.0, float("inf")):
            parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
            for parameter, value in zip(parameters, values, strict=True):
                parameter.grad = value.clone()
            norm = torch.nn.utils.clip_grad_norm_(parameters, maximum, norm_type).item()
            yield {
                "kind": "norm",
                "maximum": maximum,
                "norm_type": output.number(norm_type),
                "total_norm": norm,
                "after": [output.tensor(parameter.grad) for parameter in parameters],
            }
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = value.clone()
    torch.nn.utils.clip_grad_value_(parameters, 0.25)
    yield {"kind": "value", "maximum": 0.25, "after": [output.tensor(p.grad) for p in parameters]}


def rates(make, metrics=None):
    """The learning rate in force at each step, and the one after the last."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LEARNING_RATE)
    schedule = make(optimizer)
    values = []
    for step in range(SCHEDULE_STEPS):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([metrics[step]] if metrics else []))
    return [*values, optimizer.param_groups[0]["lr"]]


def warmup_then_cosine(optimizer):
    warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)
    return lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[5])


def schedules():
    for name, (kind, options) in SCHEDULES.items():
        metrics = METRICS if kind == "ReduceLROnPlateau" else None
        case = {"name": name, "schedule": kind, "options": options}
        if metrics:
            case["metrics"] = metrics
        values = rates(partial(getattr(swa_utils if kind == "SWALR" else lr_scheduler, kind), **options), metrics)
        yield {**case, "learning_rates": values}
    options = {
        "milestones": [5],
        "schedules": [
            {"schedule": "LinearLR", "options": {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 5}},
            {"schedule": "CosineAnnealingLR", "options": {"T_max": 15, "eta_min": 0.0}},
        ],
    }
    case = {"name": "warmup-then-cosine", "schedule": "SequentialLR", "options": options}
    yield {**case, "learning_rates": rates(warmup_then_cosine)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    content = {
        "relative_tolerance": {"float32": 1e-5, "float64": 1e-12, "learning_rates": 1e-12},
        "initial": [output.tensor(uniform(7000 + k, shape, 2.0)) for k, shape in enumerate(SHAPES)],
        "gradients": [[output.tensor(value) for value in step] for step in gradients()],
        "updates": list(updates()),
        "clipping": list(clipping()),
        "base_learning_rate": LEARNING_RATE,
        "schedules": list(schedules()),
    }
    output.write("optimizers.json", content)

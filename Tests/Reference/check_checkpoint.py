"""Opens a checkpoint of the digits perceptron with `torch.load(weights_only=True)` and goes on from it in PyTorch.

    check_checkpoint.py FILE

Checks the keys, loads the weights and the optimizer's state, takes one step on a fixed batch, and prints one JSON
line. Anything wrong ends it with one sentence and exit status 1.
"""

import json
import pickle
import sys

import torch

import output
import workloads

TYPES = {
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
    "state_dict": dict,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "hyper_parameters": dict,
}


def load(file):
    try:
        content = torch.load(file, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise SystemExit(f"{file}: torch.load(weights_only=True) failed: {error}") from error
    if not isinstance(content, dict):
        raise SystemExit(f"{file}: holds a {type(content).__name__}, not a dictionary")
    missing = [key for key in TYPES if key not in content]
    if missing:
        raise SystemExit(f"{file}: lacks {', '.join(missing)}; it has {', '.join(map(str, content))}")
    for key, kind in TYPES.items():
        if not isinstance(content[key], kind):
            raise SystemExit(f"{file}: {key} is a {type(content[key]).__name__}, not a {kind.__name__}")
    return content


def restore(file, content):
    """The model and the optimizer as the checkpoint left them."""
    model = workloads.DigitsMLP()
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise SystemExit(f"{file}: {error}") from error
    if not content["optimizer_states"]:
        raise SystemExit(f"{file}: optimizer_states is empty")
    state = content["optimizer_states"][0]
    if sorted(state) != ["param_groups", "state"]:
        raise SystemExit(f"{file}: optimizer_states[0] has the keys {', '.join(map(str, state))}")
    kind = torch.optim.AdamW if "betas" in state["param_groups"][0] else torch.optim.SGD
    optimizer = kind(model.parameters(), lr=1.0)
    expected = set(optimizer.state_dict()["param_groups"][0])
    found = set(state["param_groups"][0])
    if expected - found:
        raise SystemExit(f"{file}: param_groups[0] lacks {', '.join(sorted(expected - found))}")
    try:
        optimizer.load_state_dict(state)
    except (ValueError, KeyError) as error:
        raise SystemExit(f"{file}: {kind.__name__} refuses its state: {error}") from error
    return model, optimizer


def step(model, optimizer):
    """One step on a batch that needs no data file; returns the loss before and after it."""
    x, y = workloads.uniform(9000, (32, 64)) + 0.5, torch.arange(32) % 10
    loss = workloads.loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), workloads.loss(model(x), y).item()


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: check_checkpoint.py FILE")
    torch.set_num_threads(1)
    file = sys.argv[1]
    content = load(file)
    model, optimizer = restore(file, content)
    group = optimizer.param_groups[0]
    report = {
        "keys": list(content),
        "epoch": content["epoch"],
        "global_step": content["global_step"],
        "version": content["pytorch-lightning_version"],
        "hyper_parameters": content["hyper_parameters"],
        "callbacks": list(content["callbacks"]),
        "lr_schedulers": len(content["lr_schedulers"]),
        "optimizer": type(optimizer).__name__,
        "learning_rate": group["lr"],
        "optimizer_state": {str(index): sorted(entry) for index, entry in optimizer.state_dict()["state"].items()},
        "weights": output.summaries(content["state_dict"]),
    }
    try:
        report["loss"], report["loss_after_step"] = step(model, optimizer)
    except RuntimeError as error:
        raise SystemExit(f"{file}: the optimizer's state does not fit the weights: {error}") from error
    print(json.dumps(report, default=str))


if __name__ == "__main__":
    main()

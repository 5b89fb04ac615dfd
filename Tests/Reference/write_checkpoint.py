"""Writes a checkpoint of the digits perceptron as Lightning lays it out, after a few steps of training.

    write_checkpoint.py FILE [--optimizer sgd|adamw] [--steps N] [--state-dict]

With --state-dict it writes only `torch.save(model.state_dict())`. Prints one JSON line: the losses of the steps
taken, and of the next three if training goes on from the file.
"""

import argparse
import json

import torch

import workloads
from training import Run

BATCH = 32
NEXT_STEPS = 3


def settings(optimizer):
    return Run(optimizer=optimizer, learning_rate=0.1 if optimizer == "sgd" else 1e-3)


def train(model, optimizer, first, count):
    """Steps first ..< first + count on the training rows in their order; returns the losses."""
    (x, y), _ = workloads.digits()
    losses = []
    for step in range(first, first + count):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        optimizer.zero_grad()
        loss = workloads.loss(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def progress(count, *names):
    return {"total": dict.fromkeys(names, count), "current": dict.fromkeys(names, count)}


def evaluation_loop():
    names = ("ready", "completed", "started", "processed")
    return {"state_dict": {}, "batch_progress": {**progress(0, *names), "is_last_batch": False}}


def loops(steps):
    """The progress of a fit that stands in its first epoch, `steps` batches in."""
    names = ("ready", "completed", "started", "processed")
    epoch = {key: dict.fromkeys(names, 0) | {"ready": 1, "started": 1} for key in ("total", "current")}
    optimization = "epoch_loop.automatic_optimization"
    return {
        "fit_loop": {
            "state_dict": {},
            "epoch_loop.state_dict": {"_batches_that_stepped": steps},
            "epoch_loop.batch_progress": {**progress(steps, *names), "is_last_batch": False},
            "epoch_loop.scheduler_progress": progress(0, "ready", "completed"),
            f"{optimization}.state_dict": {},
            f"{optimization}.optim_progress": {
                "optimizer": {
                    "step": progress(steps, "ready", "completed"),
                    "zero_grad": progress(steps, "ready", "completed", "started"),
                }
            },
            "epoch_loop.manual_optimization.state_dict": {},
            "epoch_loop.manual_optimization.optim_step_progress": progress(0, "ready", "completed"),
            "epoch_loop.val_loop.state_dict": {},
            "epoch_loop.val_loop.batch_progress": evaluation_loop()["batch_progress"],
            "epoch_progress": epoch,
        },
        "validate_loop": evaluation_loop(),
        "test_loop": evaluation_loop(),
        "predict_loop": {"state_dict": {}, "batch_progress": progress(0, *names)},
    }


def checkpoint(model, optimizer, run, steps):
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    callback = (
        "ModelCheckpoint{'monitor': 'val/loss', 'mode': 'min', 'every_n_train_steps': 0, "
        "'every_n_epochs': 1, 'train_time_interval': None}"
    )
    return {
        "epoch": 0,
        "global_step": steps,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": model.state_dict(),
        "loops": loops(steps),
        "callbacks": {
            callback: {
                "monitor": "val/loss",
                "best_model_score": torch.tensor(0.5),
                "best_model_path": "checkpoints/epoch=0.ckpt",
                "current_score": None,
                "dirpath": "checkpoints",
                "best_k_models": {"checkpoints/epoch=0.ckpt": torch.tensor(0.5)},
                "kth_best_model_path": "checkpoints/epoch=0.ckpt",
                "kth_value": torch.tensor(0.5),
                "last_model_path": "",
            }
        },
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
        "hparams_name": "kwargs",
        "hyper_parameters": {"optimizer": run.optimizer, "learning_rate": run.learning_rate, "hidden": 128},
    }


def write(file, optimizer="sgd", steps=5, only_state=False):
    torch.set_num_threads(1)
    run = settings(optimizer)
    model = workloads.make("w1")
    torch_optimizer = run.make_optimizer(model.parameters())
    losses = train(model, torch_optimizer, 0, steps)
    torch.save(model.state_dict() if only_state else checkpoint(model, torch_optimizer, run, steps), file)
    return {
        "optimizer": optimizer,
        "steps": steps,
        "losses": losses,
        "next_losses": train(model, torch_optimizer, steps, NEXT_STEPS),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--optimizer", choices=("sgd", "adamw"), default="sgd")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--state-dict", action="store_true", help="write only the model's state dictionary")
    arguments = parser.parse_args()
    print(json.dumps(write(arguments.file, arguments.optimizer, arguments.steps, arguments.state_dict)))


if __name__ == "__main__":
    main()

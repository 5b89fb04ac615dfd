"""Resumes checkpoints of Python Lightning here and checkpoints written here in Python Lightning.

    both_ways.py DIGITS

Prints one line per case; the exit status tells whether all are well. Curves agree when every loss after resuming is
within TOLERANCE, relative, of the loss of the run that was not interrupted, on the side that wrote the checkpoint.
"""

import csv
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lightning_digits import DigitClassifier, fit

TOLERANCE = 1e-4
WEIGHTS = Path(__file__).resolve().parent.parent / "Reference/Data/w1.safetensors"
BATCHES_PER_EPOCH = 46


@dataclass(frozen=True)
class Case:
    """A run, and after which step its checkpoint is written; `at_end` when that is at the end of an epoch."""

    name: str
    optimizer: str
    learning_rate: float
    schedule: str
    save_at: int
    at_end: bool = False
    steps: int = 0
    epochs: int = 0
    accumulate: int = 1

    @property
    def flags(self):
        end = ["--epochs", str(self.epochs)] if self.epochs else ["--max-steps", str(self.steps)]
        return ["--optimizer", self.optimizer, "--lr", str(self.learning_rate), "--schedule", self.schedule,
                "--accumulate", str(self.accumulate), *end]

    @property
    def batches_before(self):
        """Batches done when the checkpoint is written; the last window of an epoch may be short."""
        epochs, steps = divmod(self.save_at, math.ceil(BATCHES_PER_EPOCH / self.accumulate))
        return epochs * BATCHES_PER_EPOCH + steps * self.accumulate


CASES = [
    Case("sgd, StepLR, in the second epoch", "sgd", 0.1, "step", save_at=60, epochs=2),
    Case("sgd, StepLR, at the end of an epoch", "sgd", 0.1, "step", save_at=46, at_end=True, epochs=2),
    Case("adamw, CosineAnnealingLR, until a step", "adamw", 0.001, "cosine", save_at=46, at_end=True, steps=70),
    Case("adamw, after the last batch of an epoch", "adamw", 0.001, "none", save_at=46, epochs=2),
    Case("adamw, steps of two batches", "adamw", 0.001, "none", save_at=30, epochs=2, accumulate=2),
]


class Disagreement(Exception):
    pass


def digits(program, case, folder, *more):
    command = [program, "fit", "--weights", str(WEIGHTS), "--no-shuffle", "--json", "--progress", "silent", "--output",
               str(folder), *case.flags, *more]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise Disagreement(f"{' '.join(command)}\n{run.stderr.strip()}")
    with open(Path(folder) / "metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row.get("train/loss")]
    return [float(row["train/loss"]) for row in rows]


def compare(found, expected):
    """The largest relative distance of two curves."""
    if len(found) != len(expected):
        raise Disagreement(f"{len(found)} losses instead of {len(expected)}")
    distance = max(abs(a - b) / abs(b) for a, b in zip(found, expected))
    if not distance <= TOLERANCE:
        raise Disagreement(f"a loss is {distance:.1e} away: {found[:3]}... instead of {expected[:3]}...")
    return distance


def check(what, found, expected):
    if found != expected:
        raise Disagreement(f"{what} is {found} instead of {expected}")


def saved_batches(case):
    """Batches done when the checkpoint is written; the last window of an epoch may be short."""
    per_epoch = math.ceil(BATCHES_PER_EPOCH / case.accumulate)
    epochs, steps = divmod(case.save_at, per_epoch)
    return epochs * BATCHES_PER_EPOCH + steps * case.accumulate


def python_to_here(program, case, folder):
    whole, trainer = fit(case, folder / "python", save_at=case.save_at)
    losses = [whole.losses[index] for index in sorted(whole.losses)]
    file = folder / "python" / f"{'end' if case.at_end else 'at'}-{case.save_at}.ckpt"
    distance = compare(digits(program, case, folder / "here", "--resume", str(file)), losses[case.batches_before:])
    end = torch.load(folder / "here/last.ckpt", weights_only=True)
    check("global_step at the end", end["global_step"], trainer.global_step)
    return distance


def here_to_python(program, case, folder):
    expected = digits(program, case, folder / "whole")
    if case.at_end:  # the best one so far
        [file] = [path for path in (folder / "whole").glob(f"*step={case.save_at}.ckpt")] or [None]
    if not case.at_end or file is None:
        digits(program, replace(case, epochs=0, steps=case.save_at), folder / "part")
        file = folder / "part/last.ckpt"
    record, trainer = fit(case, folder / "python", resume=str(file))
    distance = compare([record.losses[index] for index in sorted(record.losses)], expected[case.batches_before:])
    written, end = (torch.load(path, weights_only=True) for path in (file, folder / "whole/last.ckpt"))
    check("global_step after resuming", record.start["global_step"], case.save_at)
    check("the epoch after resuming", record.start["epoch"], case.batches_before // BATCHES_PER_EPOCH)
    check("global_step at the end", trainer.global_step, end["global_step"])
    states = [state for key, state in written["callbacks"].items() if "'monitor': 'val/accuracy'" in key]
    check("states of ModelCheckpoint", len(states), 1)
    again = DigitClassifier.load_from_checkpoint(file, weights_only=True)
    check("the optimizer of load_from_checkpoint", again.hparams.optimizer, case.optimizer)
    check("the learning rate of load_from_checkpoint", again.hparams.lr, case.learning_rate)
    return distance


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: both_ways.py DIGITS")
    torch.set_num_threads(1)
    passed = failed = 0
    for case in CASES:
        for direction, run in (("Python to here", python_to_here), ("here to Python", here_to_python)):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    distance = run(sys.argv[1], case, Path(folder))
                    passed += 1
                    print(f"{direction}: {case.name}: losses within {distance:.1e}", flush=True)
                except Disagreement as problem:
                    failed += 1
                    print(f"{direction}: {case.name}: FAILED: {problem}", flush=True)
    print(f"{passed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()

"""W1: the two-layer perceptron on the digits, in every mode a Trainer test compares."""

from dataclasses import replace

import output
from training import Run, fit_all

SGD = Run(epochs=3)
ADAMW = Run(optimizer="adamw", learning_rate=1e-3, epochs=3)
TWO = {"ranks": 2, "batch_size": 16}
THREE = {"ranks": 3, "batch_size": 16}

RUNS = {
    "sgd": SGD,
    "adamw": ADAMW,
    "sgd-accumulate-2": replace(SGD, epochs=1, accumulate=2),
    "sgd-accumulate-3": replace(SGD, epochs=1, accumulate=3),
    "adamw-accumulate-3": replace(ADAMW, epochs=1, accumulate=3),
    "sgd-clip-norm": replace(SGD, epochs=1, clip_norm=0.5),
    "sgd-clip-value": replace(SGD, epochs=1, clip_value=0.05),
    "sgd-step-schedule": replace(SGD, schedule="step"),
    "sgd-cosine-schedule": replace(SGD, schedule="cosine"),
    "sgd-shuffled": replace(SGD, shuffle=True),
    "sgd-float64": replace(SGD, precision="64-true", relative_tolerance=1e-10),
    "sgd-bf16-mixed": replace(SGD, epochs=1, precision="bf16-mixed", relative_tolerance=2e-2),
    "sgd-2-ranks": replace(SGD, **TWO),
    "adamw-2-ranks": replace(ADAMW, **TWO),
    "sgd-2-ranks-accumulate-3": replace(SGD, epochs=1, accumulate=3, **TWO),
    "sgd-2-ranks-clip-norm": replace(SGD, epochs=1, clip_norm=0.5, **TWO),
    "sgd-2-ranks-shuffled": replace(SGD, shuffle=True, **TWO),
    "sgd-3-ranks": replace(SGD, **THREE),
}

if __name__ == "__main__":
    content = {
        "workload": "w1",
        "relative_tolerance": 1e-5,
        "relative_tolerance_after_first_epoch": 1e-4,
        "runs": fit_all("w1", RUNS),
    }
    output.write("digits-mlp.json", content)

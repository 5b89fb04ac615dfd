"""W4: the compute-bound convolutional network on synthetic images."""

import output
from training import Run, fit_all

RUNS = {"adamw": Run(optimizer="adamw", learning_rate=3e-4, batch_size=16, max_steps=3)}

if __name__ == "__main__":
    content = {"workload": "w4", "relative_tolerance": 1e-5, "runs": fit_all("w4", RUNS)}
    output.write("w4.json", content)

"""W2: the convolutional network with batch normalisation on the digits."""

import output
from training import Run, fit_all

RUNS = {"sgd": Run(learning_rate=0.05, epochs=2)}

if __name__ == "__main__":
    content = {
        "workload": "w2",
        "relative_tolerance": 1e-5,
        "relative_tolerance_after_first_epoch": 1e-4,
        "runs": fit_all("w2", RUNS),
    }
    output.write("digits-cnn.json", content)

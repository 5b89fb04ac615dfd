"""W3: the small byte-level GPT on the text of a licence."""

import output
from training import Run, fit_all

RUNS = {
    "adamw": Run(optimizer="adamw", learning_rate=3e-4, batch_size=8, max_steps=10),
    "adamw-2-ranks": Run(optimizer="adamw", learning_rate=3e-4, batch_size=4, ranks=2, max_steps=5),
}

if __name__ == "__main__":
    content = {"workload": "w3", "relative_tolerance": 1e-5, "runs": fit_all("w3", RUNS)}
    output.write("byte-gpt.json", content)

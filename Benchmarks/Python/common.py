"""What both Python benchmarks share: the workloads of `Tests/Reference`, their options, and the timing."""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests" / "Reference"))
import workloads  # noqa: E402


@dataclass(frozen=True)
class Workload:
    batch_size: int
    warmup: int
    steps: int
    window: int

    def optimizer(self, name, parameters):
        if name == "w1":
            return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
        return torch.optim.AdamW(parameters, lr=3e-4)


# A window is what one clock reading covers; the median is over the windows.
WORKLOADS = {
    "w1": Workload(batch_size=32, warmup=300, steps=4000, window=100),
    "w4": Workload(batch_size=16, warmup=2, steps=12, window=2),
}


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--workload", choices=tuple(WORKLOADS), default="w1")
    parser.add_argument("--threads", type=int, default=1, help="intra-op threads of PyTorch (default: 1)")
    parser.add_argument("--steps", type=int, help="measured steps, after the warm-up")
    parser.add_argument("--data", help="folder with digits.csv (default: the examples' copy)")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    chosen = parser.parse_args()
    if chosen.data:
        os.environ["STRATAGEM_DATA"] = chosen.data
    workload = WORKLOADS[chosen.workload]
    steps = chosen.steps or workload.steps
    if chosen.threads < 1 or steps < workload.window:
        parser.error(f"--threads must be at least 1 and --steps at least {workload.window}, one window")
    chosen.steps = steps // workload.window * workload.window
    torch.set_num_threads(chosen.threads)
    return chosen


class Batches:
    """Batches sliced from tensors in memory, in order, epoch after epoch, `count` of them."""

    def __init__(self, workload, count):
        (self.x, self.y), _ = workloads.data(workload)
        self.size = WORKLOADS[workload].batch_size
        self.count = count

    def __len__(self):
        return self.count

    def __iter__(self):
        per_epoch = len(self.x) // self.size
        for index in range(self.count):
            start = index % per_epoch * self.size
            yield self.x[start : start + self.size], self.y[start : start + self.size]


class Clock:
    """Reads the time after every window of steps once the warm-up is over."""

    def __init__(self, workload):
        self.warmup, self.window = WORKLOADS[workload].warmup, WORKLOADS[workload].window
        self.step = 0
        self.readings = []

    def tick(self):
        """Call at the end of every step."""
        self.step += 1
        if self.step >= self.warmup and (self.step - self.warmup) % self.window == 0:
            self.readings.append(time.perf_counter())

    def report(self, name, chosen, loss):
        pairs = zip(self.readings, self.readings[1:], strict=False)
        seconds = [(after - before) / self.window for before, after in pairs]
        median = statistics.median(seconds)
        result = {
            "benchmark": name,
            "workload": chosen.workload,
            "threads": chosen.threads,
            "steps": len(seconds) * self.window,
            "steps_per_second": 1 / median,
            "median_step_us": median * 1e6,
            "best_step_us": min(seconds) * 1e6,
            "load_average": os.getloadavg()[0],
            "last_loss": loss,
            "torch": torch.__version__,
        }
        if chosen.json:
            print(json.dumps(result))
        else:
            print(f"{name} {chosen.workload}: {1 / median:.1f} steps/s, {median * 1e6:.0f} us per step (median window)")

"""Steps per second of a plain PyTorch training loop."""

import torch

import common
from common import workloads


def main():
    chosen = common.arguments(__doc__)
    workload = common.WORKLOADS[chosen.workload]
    model = workloads.make(chosen.workload)
    optimizer = workload.optimizer(chosen.workload, model.parameters())
    criterion = torch.nn.functional.cross_entropy
    clock = common.Clock(chosen.workload)
    for x, y in common.Batches(chosen.workload, workload.warmup + chosen.steps):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        clock.tick()
    clock.report("pytorch-bare", chosen, loss.item())


if __name__ == "__main__":
    main()

"""Steps per second and peak memory of PyTorch's FSDP2 on CPU with Gloo: W3, or W5 with --workload w5."""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests" / "Reference"))

WARMUP = 3
# layers, features, heads, positions, samples per rank
SIZES = {"w3": (4, 256, 4, 128, 4), "w5": (7, 768, 12, 64, 1)}


class Block(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = torch.nn.LayerNorm(width)
        self.attention = torch.nn.Linear(width, 3 * width)
        self.projection = torch.nn.Linear(width, width)
        self.norm2 = torch.nn.LayerNorm(width)
        self.widen = torch.nn.Linear(width, 4 * width)
        self.narrow = torch.nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.attention(self.norm1(x)).chunk(3, dim=2)
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(mixed.transpose(1, 2).reshape(batch, length, width))
        hidden = torch.nn.functional.gelu(self.widen(self.norm2(x)), approximate="tanh")
        return x + self.narrow(hidden)


class GPT(torch.nn.Module):
    def __init__(self, layers, width, heads, length):
        super().__init__()
        self.tokens = torch.nn.Embedding(256, width)
        self.positions = torch.nn.Embedding(length, width)
        self.blocks = torch.nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = torch.nn.LayerNorm(width)
        self.head = torch.nn.Linear(width, 256, bias=False)

    def forward(self, x):
        x = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def train(rank, chosen, queue):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=chosen.ranks)
    mesh = init_device_mesh("cpu", (chosen.ranks,))
    layers, width, heads, length, batch = SIZES[chosen.workload]
    model = GPT(layers, width, heads, length)
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
    text = torch.randint(256, (batch, length + 1))
    readings = []
    for _ in range(WARMUP + chosen.steps + 1):
        optimizer.zero_grad()
        logits = model(text[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        readings.append(time.perf_counter())
    seconds = [after - before for before, after in zip(readings[WARMUP:], readings[WARMUP + 1 :], strict=False)]
    if rank == 0:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        queue.put({"steps_per_second": 1 / statistics.median(seconds), "peak_mib": peak})
    dist.barrier()
    dist.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=tuple(SIZES), default="w3")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--data", help="not used; every script of the benchmarks is given it")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    chosen = parser.parse_args()
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29577")
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = multiprocessing.start_processes(train, (chosen, queue), chosen.ranks, join=False, start_method="spawn")
    result = queue.get()
    workers.join()
    print(json.dumps(result) if chosen.json else "\n".join(f"{name} {value:.2f}" for name, value in result.items()))


if __name__ == "__main__":
    main()

"""Random numbers for a seed: torch.randperm, DistributedSampler's index lists, and a few draws of the CPU generator."""

import torch
from torch.utils.data import DistributedSampler

import output

SIZES = (0, 1, 2, 5, 10, 31, 64, 1500, 1797, 100_000)
SEEDS = (0, 1, 42, 123_456_789, 2**40 + 7)
WHOLE = 64  # longer lists are cut to their first 16 and last 4 elements

# n, number of replicas, shuffle, seed, epoch, drop_last
SAMPLERS = [
    (10, 1, False, 0, 0, False),
    (10, 1, True, 0, 0, False),
    (10, 1, True, 0, 1, False),
    (10, 2, True, 0, 3, False),
    (10, 3, False, 0, 0, False),
    (10, 3, False, 0, 0, True),
    (10, 3, True, 0, 0, False),
    (10, 3, True, 7, 2, True),
    (11, 4, False, 0, 0, False),
    (11, 4, True, 5, 1, False),
    (11, 4, True, 5, 1, True),
    (3, 5, False, 0, 0, False),
    (2, 7, False, 0, 0, False),
    (2, 7, True, 0, 0, False),
    (1, 4, True, 9, 9, False),
    (297, 2, False, 0, 0, False),
    (297, 3, False, 0, 0, False),
    (1500, 2, True, 0, 0, False),
    (1500, 2, True, 0, 1, False),
    (1500, 7, True, 0, 0, False),
    (1500, 7, True, 0, 0, True),
]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def shortened(values):
    if len(values) <= WHOLE:
        return {"values": values}
    return {"first": values[:16], "last": values[-4:]}


def permutations():
    for n in SIZES:
        for seed in SEEDS:
            yield {"n": n, "seed": seed, **shortened(torch.randperm(n, generator=generator(seed)).tolist())}


def consecutive():
    """Three permutations in a row from one generator, as a RandomSampler draws them epoch by epoch."""
    source = generator(0)
    values = [torch.randperm(10, generator=source).tolist() for _ in range(3)]
    return {"n": 10, "seed": 0, "values": values}


def samplers():
    for n, world, shuffle, seed, epoch, drop_last in SAMPLERS:
        for rank in range(world):
            sampler = DistributedSampler(range(n), world, rank, shuffle=shuffle, seed=seed, drop_last=drop_last)
            sampler.set_epoch(epoch)
            indices = list(sampler)
            yield {
                "n": n,
                "world": world,
                "rank": rank,
                "shuffle": shuffle,
                "seed": seed,
                "epoch": epoch,
                "drop_last": drop_last,
                "count": len(indices),
                **shortened(indices),
            }


def draws():
    """Each from a generator seeded anew. `rand` takes another path from 16 elements on, `randn` too."""
    for seed in (0, 42):
        for n in (5, 20):
            yield {"seed": seed, "kind": "rand", "tensor": output.tensor(torch.rand(n, generator=generator(seed)))}
            yield {"seed": seed, "kind": "randn", "tensor": output.tensor(torch.randn(n, generator=generator(seed)))}
        integers = torch.randint(0, 1000, (12,), generator=generator(seed))
        yield {"seed": seed, "kind": "randint", "low": 0, "high": 1000, "tensor": output.tensor(integers)}
        uniform = torch.empty(6, dtype=torch.float64).uniform_(-2, 3, generator=generator(seed))
        yield {"seed": seed, "kind": "uniform", "low": -2, "high": 3, "tensor": output.tensor(uniform)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    content = {
        "relative_tolerance": 1e-6,
        "permutations": list(permutations()),
        "consecutive_permutations": consecutive(),
        "distributed_samplers": list(samplers()),
        "draws": list(draws()),
    }
    output.write("randperm.json", content)

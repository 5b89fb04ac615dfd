"""One training run with Lightning's semantics in plain PyTorch, in one process or under DistributedDataParallel."""

import contextlib
import math
import socket
from dataclasses import asdict, dataclass

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler

import output
import workloads


@dataclass(frozen=True)
class Run:
    """The settings of a run. `batch_size` is per rank, as in the examples' command line."""

    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    batch_size: int = 32
    ranks: int = 1
    epochs: int = 1
    max_steps: int | None = None
    accumulate: int = 1
    clip_norm: float | None = None
    clip_value: float | None = None
    schedule: str | None = None
    shuffle: bool = False
    precision: str = "32-true"
    relative_tolerance: float = 1e-5

    @property
    def dtype(self):
        return torch.float64 if self.precision == "64-true" else torch.float32

    def make_optimizer(self, parameters):
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameters, lr=self.learning_rate, momentum=self.momentum)
        return torch.optim.AdamW(parameters, lr=self.learning_rate)

    def make_schedule(self, optimizer, total_steps):
        if self.schedule == "step":
            return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        if self.schedule == "cosine":
            return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total_steps, eta_min=0)
        return None

    def settings(self):
        values = asdict(self)
        if self.optimizer != "sgd":
            del values["momentum"]
        return values


def batches(run, rank, epoch, count):
    """The sample indices of every training batch of a rank; the short last batch is dropped."""
    sampler = DistributedSampler(range(count), run.ranks, rank, shuffle=run.shuffle, seed=0)
    sampler.set_epoch(epoch)
    indices = torch.tensor(list(sampler))
    return indices[: len(indices) // run.batch_size * run.batch_size].view(-1, run.batch_size)


def evaluate(model, x, y, chunk=64):
    """Loss and accuracy over the whole set, every sample counted once."""
    model.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(x), chunk):
            target = y[start : start + chunk]
            logits = model(x[start : start + chunk])
            total += workloads.loss(logits, target, reduction="sum").item()
            correct += (logits.argmax(-1) == target).sum().item()
    model.train()
    return {"loss": total / y.numel(), "accuracy": correct / y.numel(), "correct": correct}


def fit(workload, run, rank=0):
    """Trains, and returns what a test may want to compare, as a JSON object."""
    (x, y), validation = workloads.data(workload)
    if x.is_floating_point():
        x, validation = x.to(run.dtype), (validation[0].to(run.dtype), validation[1])
    model = workloads.make(workload).to(run.dtype)
    wrapped = DistributedDataParallel(model) if run.ranks > 1 else model
    parameters = list(model.parameters())
    optimizer = run.make_optimizer(parameters)
    per_epoch = len(batches(run, rank, 0, len(x)))
    total_steps = run.epochs * math.ceil(per_epoch / run.accumulate)
    schedule = run.make_schedule(optimizer, total_steps)
    losses, rates, norms, evaluations, buffers = [], [], [], [], []

    for epoch in range(run.epochs):
        for index, batch in enumerate(batches(run, rank, epoch, len(x))):
            stepping = (index + 1) % run.accumulate == 0 or index + 1 == per_epoch
            with contextlib.ExitStack() as stack:
                if run.ranks > 1 and not stepping:
                    stack.enter_context(wrapped.no_sync())
                with torch.autocast("cpu", torch.bfloat16, enabled=run.precision == "bf16-mixed"):
                    loss = workloads.loss(wrapped(x[batch]), y[batch])
                (loss / run.accumulate).backward()
            losses.append(loss.detach().double())
            if stepping:
                if run.clip_norm is not None:
                    norms.append(torch.nn.utils.clip_grad_norm_(parameters, run.clip_norm).item())
                if run.clip_value is not None:
                    torch.nn.utils.clip_grad_value_(parameters, run.clip_value)
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                optimizer.zero_grad()
                if run.schedule == "cosine":
                    schedule.step()
            if run.max_steps is not None and len(rates) == run.max_steps:
                break
        if run.schedule == "step":
            schedule.step()
        evaluations.append({"epoch": epoch, **evaluate(model, *validation)})
        buffers.append({name: value for name, value in model.named_buffers() if value.numel() > 1})
        buffers[-1] = output.summaries(buffers[-1])

    losses = torch.stack(losses)
    if run.ranks > 1:
        dist.all_reduce(losses)
        losses /= run.ranks
    result = {**run.settings(), "losses": losses.tolist()}
    if run.schedule:
        result["learning_rates"] = rates
    if norms:
        result["gradient_norms"] = norms
    result["optimizer_steps"] = len(rates)
    result["validation"] = evaluations
    if any(buffers):
        result["buffers"] = buffers
    result["final_weights"] = output.summaries(dict(model.named_parameters()))
    return result


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def worker(rank, world, port, workload, runs, results):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    for name, run in runs.items():
        result = fit(workload, run, rank)
        if rank == 0:
            results[name] = result
    dist.destroy_process_group()


def fit_all(workload, runs):
    """Every run by name; those with the same number of ranks share one set of processes."""
    torch.set_num_threads(1)
    results = {name: fit(workload, run) for name, run in runs.items() if run.ranks == 1}
    for world in sorted({run.ranks for run in runs.values()} - {1}):
        chosen = {name: run for name, run in runs.items() if run.ranks == world}
        with mp.Manager() as manager:
            shared = manager.dict()
            mp.spawn(worker, (world, free_port(), workload, chosen, shared), nprocs=world)
            results |= dict(shared)
    return {name: results[name] for name in runs}

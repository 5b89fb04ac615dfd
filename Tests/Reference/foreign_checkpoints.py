"""Folders that PyTorch writes, for the tests of the Swift reader, and files with the same values.

`distributed/`     what `torch.distributed.checkpoint` writes on two ranks, with `meta.pt` as Lightning adds it: tensors cut
                   along the first and the second dimension, and whole ones; the state of an optimizer by name
`distributed.ckpt` the same as one file of Lightning's layout
`fsdp2/`           a model and its AdamW after three steps of PyTorch's FSDP2 on two ranks, with the state dictionaries of
                   `torch.distributed.checkpoint.state_dict` under the keys that PyTorch's examples use
`fsdp2.ckpt`       the same as one file
"""

import os
import shutil
import tempfile
import uuid
from collections import OrderedDict
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

DATA = Path(__file__).parent / "Data"


def numbers(*shape, start=0.0):
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count, dtype=torch.float32) / 8 + start).reshape(shape)


def distributed_state():
    weights = {"fc1.weight": numbers(5, 4), "fc1.bias": numbers(5, start=10), "fc2.weight": numbers(3, 6, start=20)}
    buffers = {"batches": torch.tensor(7), "running": numbers(3, start=30).to(torch.bfloat16)}
    states = {
        name: {"step": torch.tensor(3.0), "exp_avg": tensor * 2, "exp_avg_sq": tensor * tensor}
        for name, tensor in weights.items()
    }
    group = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0, "params": list(weights)}
    return weights, buffers, states, group


def save_distributed(rank, world, folder):
    os.chdir(folder)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    uuid.uuid4 = lambda: "00000000-0000-0000-0000-000000000000"
    mesh = init_device_mesh("cpu", (world,))
    places = {"fc1.weight": Shard(0), "fc1.bias": Shard(0), "fc2.weight": Shard(1)}
    weights, buffers, states, group = distributed_state()

    def placed(name, tensor):
        return distribute_tensor(tensor, mesh, [places.get(name, Replicate())]) if tensor.ndim else tensor

    model = {name: placed(name, tensor) for name, tensor in (weights | buffers).items()}
    optimizer = {
        "state": {name: {key: placed(name, value) for key, value in state.items()} for name, state in states.items()},
        "param_groups": [group],
    }
    dcp.save({"model": model, "optimizer_0": optimizer}, checkpoint_id="distributed")
    dist.destroy_process_group()


def write_distributed():
    rest = {"epoch": 2, "global_step": 3, "pytorch-lightning_version": "2.6.0", "lr_schedulers": []}
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(save_distributed, args=(2, folder), nprocs=2)
        torch.save(rest, f"{folder}/distributed/meta.pt")
        shutil.rmtree(DATA / "distributed", ignore_errors=True)
        shutil.copytree(f"{folder}/distributed", DATA / "distributed")
    weights, buffers, states, group = distributed_state()
    names = list(weights)
    optimizer = {
        "state": {number: states[name] for number, name in enumerate(names)},
        "param_groups": [group | {"params": list(range(len(names))), "param_names": names}],
    }
    torch.save(
        rest | {"state_dict": OrderedDict(weights | buffers), "optimizer_states": [optimizer]},
        DATA / "distributed.ckpt",
    )


def save_fsdp2(rank, world, folder):
    os.chdir(folder)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    uuid.uuid4 = lambda: "00000000-0000-0000-0000-000000000000"
    torch.manual_seed(5)
    model = torch.nn.Sequential(
        OrderedDict(fc1=torch.nn.Linear(5, 7), norm=torch.nn.LayerNorm(7), fc2=torch.nn.Linear(7, 3, bias=False))
    )
    mesh = init_device_mesh("cpu", (world,))
    fully_shard(model.fc1, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(3):
        model(numbers(4, 5, start=step) / 10).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    weights, state = get_state_dict(model, optimizer)
    dcp.save({"model": weights, "optimizer": state}, checkpoint_id="fsdp2")
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights, state = get_state_dict(model, optimizer, options=options)
    if rank == 0:
        torch.save((weights, state), "whole.pt")
    dist.barrier()
    dist.destroy_process_group()


def write_fsdp2():
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(save_fsdp2, args=(2, folder), nprocs=2)
        shutil.rmtree(DATA / "fsdp2", ignore_errors=True)
        shutil.copytree(f"{folder}/fsdp2", DATA / "fsdp2")
        weights, state = torch.load(f"{folder}/whole.pt", weights_only=False)
    names = list(weights)
    groups = [group | {"params": list(range(len(names))), "param_names": names} for group in state["param_groups"]]
    optimizer = {"state": {number: state["state"][name] for number, name in enumerate(names)}, "param_groups": groups}
    torch.save({"state_dict": OrderedDict(weights), "optimizer_states": [optimizer]}, DATA / "fsdp2.ckpt")


if __name__ == "__main__":
    write_distributed()
    write_fsdp2()

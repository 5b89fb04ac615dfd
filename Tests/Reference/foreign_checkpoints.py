"""Folders that other programs write, for the tests of the Swift reader, and files with the same values.

`distributed/`     what `torch.distributed.checkpoint` writes on two ranks, with `meta.pt` as Lightning adds it: tensors cut
                   along the first and the second dimension, and whole ones; the state of an optimizer by name
`distributed.ckpt` the same as one file of Lightning's layout
`fsdp2/`           a model and its AdamW after three steps of PyTorch's FSDP2 on two ranks, with the state dictionaries of
                   `torch.distributed.checkpoint.state_dict` under the keys that PyTorch's examples use
`fsdp2.ckpt`       the same as one file
`deepspeed-N/`     the layout of DeepSpeed's ZeRO stage N (1 on three ranks, 2 and 3 on two), written here after the
                   description in its utils/zero_to_fp32.py, since DeepSpeed itself needs a GPU
`deepspeed.ckpt`   the same as one file
"""

import os
import shutil
import sys
import tempfile
import types
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


class LossScaler:
    """Stands for DeepSpeed's class of this name, which its files hold an instance of."""

    def __init__(self):
        self.cur_scale = 1.0


def pretend_deepspeed():
    for name in ["deepspeed", "deepspeed.runtime", "deepspeed.runtime.fp16", "deepspeed.runtime.fp16.loss_scaler"]:
        sys.modules[name] = types.ModuleType(name)
    LossScaler.__module__ = "deepspeed.runtime.fp16.loss_scaler"
    sys.modules[LossScaler.__module__].LossScaler = LossScaler


def deepspeed_state():
    groups = [
        OrderedDict({"fc1.weight": numbers(3, 5), "fc2.weight": numbers(2, 3, start=10)}),
        OrderedDict({"fc1.bias": numbers(3, start=20), "fc2.bias": numbers(2, start=30)}),
    ]
    frozen = {"embedding.weight": numbers(3, 3, start=40)}
    buffers = {"running": numbers(3, start=50)}
    return groups, frozen, buffers, {"head.weight": "fc2.weight"}


def flat(tensors, alignment):
    joined = torch.cat([tensor.flatten() for tensor in tensors])
    padding = -len(joined) % alignment
    return torch.cat([joined, torch.zeros(padding)]), padding


def parts_of_rank(tensor, rank, world):
    """Stage 3: the part of one parameter, filled up with zeros."""
    share = -(-tensor.numel() // world)
    padded = torch.cat([tensor.flatten(), torch.zeros(share * world - tensor.numel())])
    return padded[rank * share : (rank + 1) * share].clone()


def moments(tensors):
    return {"exp_avg": [tensor * 2 for tensor in tensors], "exp_avg_sq": [tensor * tensor for tensor in tensors]}


def options(lr):
    return {"lr": lr, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0}


def optimizer_file(stage, rank, world, groups):
    single, states, paddings = [], {}, []
    for number, group in enumerate(groups):
        tensors = list(group.values())
        if stage == 3:
            def cut(tensors):
                return torch.cat([parts_of_rank(tensor, rank, world) for tensor in tensors])

            single.append(cut(tensors))
            states[number] = {key: cut(values) for key, values in moments(tensors).items()} | {"step": 3}
            continue
        whole, padding = flat(tensors, 2 * world)
        size = len(whole) // world
        own = slice(rank * size, (rank + 1) * size)
        weights = whole[own].clone()
        paddings.append(padding if rank == world - 1 else 0)
        single.append(weights[: size - paddings[-1]].clone() if paddings[-1] else weights)
        states[number] = {key: flat(values, 2 * world)[0][own].clone() for key, values in moments(tensors).items()}
        states[number]["step"] = torch.tensor(3.0)
    base = {
        "state": states,
        "param_groups": [options(0.1 * (number + 1)) | {"params": [number]} for number in range(len(groups))],
    }
    inner = {"zero_stage": stage, "partition_count": world, "loss_scaler": LossScaler()}
    if stage == 3:
        inner |= {"fp32_flat_groups": single, "optimizer_state_dict": base}
    else:
        inner |= {"single_partition_of_fp32_groups": single, "base_optimizer_state": base, "group_paddings": paddings}
    return {"optimizer_state_dict": inner, "ds_config": {"zero_optimization": {"stage": stage}}, "ds_version": "0.15.0"}


def write_deepspeed(stage, world):
    groups, frozen, buffers, shared = deepspeed_state()
    prefix = "_forward_module." if stage == 1 else ""

    def named(tensors):
        return OrderedDict((prefix + name, tensor) for name, tensor in tensors.items())

    root = DATA / f"deepspeed-{stage}"
    shutil.rmtree(root, ignore_errors=True)
    (root / "checkpoint").mkdir(parents=True)
    (root / "latest").write_text("checkpoint")
    everything = {name: tensor for group in groups for name, tensor in group.items()} | frozen | buffers
    everything["head.weight"] = everything["fc2.weight"]
    sixteen = {name: tensor.half() for name, tensor in everything.items() if name not in buffers} | buffers
    for rank in range(world if stage == 3 else 1):
        fragments = frozen if stage < 3 else {name: parts_of_rank(tensor, rank, world) for name, tensor in frozen.items()}
        model = {
            "module": named(buffers if stage == 3 else sixteen),
            "buffer_names": [prefix + name for name in buffers],
            "param_shapes": [OrderedDict((prefix + name, t.shape) for name, t in group.items()) for group in groups],
            "frozen_param_shapes": OrderedDict((prefix + name, tensor.shape) for name, tensor in frozen.items()),
            "frozen_param_fragments": named(fragments),
            "shared_params": [[prefix + alias, prefix + name] for alias, name in shared.items()],
            "optimizer": None,
            "lr_scheduler": None,
            "ds_version": "0.15.0",
            "dp_world_size": world,
            "global_steps": 3,
            "epoch": 2,
            "global_step": 3,
            "pytorch-lightning_version": "2.6.0",
            "lr_schedulers": [],
        }
        name = f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt" if stage == 3 else "mp_rank_00_model_states.pt"
        torch.save(model, root / "checkpoint" / name)
    for rank in range(world):
        name = f"{'bf16_' if stage == 2 else ''}zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"
        torch.save(optimizer_file(stage, rank, world, groups), root / "checkpoint" / name)


def write_deepspeed_as_file():
    groups, frozen, buffers, shared = deepspeed_state()
    weights = {name: tensor for group in groups for name, tensor in group.items()}
    states = {
        number: {"exp_avg": tensor * 2, "exp_avg_sq": tensor * tensor, "step": 3}
        for number, tensor in enumerate(weights.values())
    }
    saved, first = [], 0
    for number, group in enumerate(groups):
        parameters = list(range(first, first + len(group)))
        saved.append(options(0.1 * (number + 1)) | {"params": parameters, "param_names": list(group)})
        first += len(group)
    state = OrderedDict(weights | frozen | buffers)
    state["head.weight"] = state["fc2.weight"]
    torch.save(
        {
            "epoch": 2,
            "global_step": 3,
            "pytorch-lightning_version": "2.6.0",
            "lr_schedulers": [],
            "state_dict": state,
            "optimizer_states": [{"state": states, "param_groups": saved}],
        },
        DATA / "deepspeed.ckpt",
    )


if __name__ == "__main__":
    write_distributed()
    write_fsdp2()
    pretend_deepspeed()
    for stage, world in [(1, 3), (2, 2), (3, 2)]:
        write_deepspeed(stage, world)
    write_deepspeed_as_file()

"""Checkpoints that DeepSpeed itself wrote on Gloo ranks of the CPU, for the tests of the Swift reader.

`deepspeed-N/`         ZeRO stage N after three steps: 1 on three ranks, the others on two; 0 and 2 in bfloat16. Stages 1 and
                       3 have the names and the extra entries of Lightning's DeepSpeed strategy
`deepspeed-1-bf16/`    stage 1 in bfloat16, where DeepSpeed has another optimizer around the one that is given
`deepspeed-1-elastic/` stage 1 with `elastic_checkpoint`, which leaves the padding out
`deepspeed-*.ckpt`     the same as one file, with what DeepSpeed's functions for debugging say in the run

Computed again, the files are the same but for the padding of stage 3, which DeepSpeed does not write.

The model has two groups of parameters, a frozen and a tied parameter, and buffers. Needs DeepSpeed, which
`Tests/Reference/generate deepspeed_checkpoints` installs.
"""

import os
import shutil
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path

os.environ["DS_ACCELERATOR"] = "cpu"
# DeepSpeed builds an extension with ninja, which is beside the interpreter.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

DATA = Path(__file__).parent / "Data"
CASES = {
    "deepspeed-0": dict(stage=0, world=2, bf16=True),
    "deepspeed-1": dict(stage=1, world=3, lightning=True),
    "deepspeed-1-bf16": dict(stage=1, world=2, bf16=True, sums="fp32"),
    "deepspeed-1-elastic": dict(stage=1, world=2, elastic=True),
    "deepspeed-2": dict(stage=2, world=2, bf16=True),
    "deepspeed-3": dict(stage=3, world=2, lightning=True),
}
# What Lightning's strategy adds to a checkpoint of DeepSpeed.
CLIENT_STATE = {"epoch": 2, "global_step": 3, "pytorch-lightning_version": "2.6.0", "lr_schedulers": []}


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 3)
        self.embedding.weight.requires_grad = False
        self.fc1 = torch.nn.Linear(3, 7)
        self.fc2 = torch.nn.Linear(7, 3)
        self.head = torch.nn.Linear(7, 3, bias=False)
        self.head.weight = self.fc2.weight
        self.register_buffer("batches", torch.tensor(7))
        self.register_buffer("running", torch.tensor([0.25, 0.5, 0.75]))

    def forward(self, x):
        hidden = torch.tanh(self.fc1(self.embedding(x)))
        return self.fc2(hidden) + 2 * self.head(hidden.flip(-1)) + self.running.to(hidden.dtype)


class Wrapper(torch.nn.Module):
    """Names the parameters as Lightning's wrapper does."""

    def __init__(self, module):
        super().__init__()
        self._forward_module = module

    def forward(self, x):
        return self._forward_module(x)


def config(stage, bf16=False, elastic=False, sums=None):
    zero = {"stage": stage, "stage3_param_persistence_threshold": 0, "elastic_checkpoint": elastic}
    return {
        "train_micro_batch_size_per_gpu": 2,
        "zero_allow_untested_optimizer": True,
        "zero_optimization": zero,
        "bf16": {"enabled": bf16},
        "data_types": {"grad_accum_dtype": sums},
    }


def whole_state(model, optimizer, stage, groups):
    """Weights and state of the optimizer as DeepSpeed's functions give them, on every rank."""
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state
    from deepspeed.runtime.zero.partition_parameters import GatheredParameters

    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    parameters = dict(model.named_parameters())
    with GatheredParameters(list(parameters.values()), enabled=stage == 3):
        weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    if stage > 0:
        for name in names:
            weights[name] = safe_get_full_fp32_param(parameters[name]).clone()
    weights["head.weight"] = weights["fc2.weight"]
    if stage in (1, 2):
        # These functions look for the state of the optimizer before its first step only.
        optimizer._hp_optimizer_states_linked = False
        optimizer._lazy_init_hp_params_optimizer_state()
    order = [name for group in groups for name in group]
    state = {}
    for number, name in enumerate(order if stage > 0 else []):
        state[number] = {
            key: safe_get_full_optimizer_state(parameters[name], key).clone() for key in ("exp_avg", "exp_avg_sq")
        } | {"step": torch.tensor(3.0)}
    return weights, state


def train(rank, name, folder):
    os.chdir(folder)
    case = dict(CASES[name])
    world, lightning = case.pop("world"), case.pop("lightning", False)
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank), "LOCAL_SIZE": str(world)}
    import deepspeed

    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False, verbose=False)
    torch.manual_seed(5)
    model = Model()
    groups = [["fc1.weight", "fc2.weight"], ["fc1.bias", "fc2.bias"]]
    named = dict(model.named_parameters())
    decayed, others = ([named[key] for key in group] for group in groups)
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0, "lr": 0.02}], lr=0.01
    )
    options = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    engine, *_ = deepspeed.initialize(
        model=Wrapper(model) if lightning else model, optimizer=optimizer, config=config(**case)
    )
    for step in range(3):
        engine.backward(engine((torch.arange(2) + step + rank) % 5).float().square().mean())
        engine.step()
    engine.save_checkpoint(f"{folder}/{name}", tag="checkpoint", client_state=CLIENT_STATE if lightning else {})
    weights, state = whole_state(model, engine.optimizer, case["stage"], groups)
    if case["stage"] == 0:
        state = optimizer.state_dict()["state"]
    if rank == 0:
        torch.save((weights, state, groups, options), "whole.pt")
    dist.barrier()
    dist.destroy_process_group()


def write(name):
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(train, args=(name, folder), nprocs=CASES[name]["world"])
        shutil.rmtree(DATA / name, ignore_errors=True)
        # Without the programs that DeepSpeed puts beside it.
        shutil.copytree(f"{folder}/{name}", DATA / name, ignore=shutil.ignore_patterns("*.py"))
        weights, state, groups, options = torch.load(f"{folder}/whole.pt", weights_only=False)
    saved, first = [], 0
    for group, values in zip(groups, options):
        names = {"param_names": group} if CASES[name]["stage"] > 0 else {}
        if CASES[name].get("elastic"):
            values = {}
        saved.append(values | {"params": list(range(first, first + len(group)))} | names)
        first += len(group)
    file = CLIENT_STATE if CASES[name].get("lightning") else {"global_step": 3}
    file = file | {
        "state_dict": OrderedDict(weights),
        "optimizer_states": [{"state": state, "param_groups": saved}],
    }
    torch.save(file, DATA / f"{name}.ckpt")


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        write(name)

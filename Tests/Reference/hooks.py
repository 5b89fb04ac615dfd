"""Ten steps of a small network under `DistributedDataParallel` with PyTorch's communication hooks and model averagers.

The network, its data and the options are those of the hooks of `Tests/Support/collective-probe`.
"""

import os
import tempfile
import types

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, post_localSGD_hook, powerSGD_hook, quantization_hooks
from torch.distributed.algorithms.model_averaging import averagers, hierarchical_model_averager

import output

# The batched hook of this version gives its matrices without the dimension that the function demands.
orthogonalize = powerSGD_hook._orthogonalize
powerSGD_hook._orthogonalize = lambda q, epsilon=0: orthogonalize(q.unsqueeze(0) if q.dim() == 2 else q, epsilon)



class Gathered:
    """An all-gather on Gloo whose future holds one tensor of all ranks in a list: what the quantization hooks expect."""

    def __init__(self, outputs, *arguments, **options):
        self.outputs = outputs
        self.work = dist.all_gather(outputs, *arguments, **options)

    def get_future(self):
        return self.work.get_future().then(lambda future: [torch.stack(self.outputs)] if future.wait() else None)


quantization_hooks.dist = types.SimpleNamespace(all_gather=Gathered, group=dist.group, get_rank=dist.get_rank)

SIZES = [4, 8, 8, 8, 2]
STEPS = 10
ROWS = 12


class Network(torch.nn.Module):
    def __init__(self, dtype):
        super().__init__()
        generator = torch.Generator().manual_seed(12)
        for index, (rows, columns) in enumerate(zip(SIZES, SIZES[1:])):
            for name, shape in (("weight", (rows, columns)), ("bias", (columns,))):
                value = torch.empty(shape, dtype=torch.float64).uniform_(-0.5, 0.5, generator=generator)
                self.register_parameter(f"{name}{index}", torch.nn.Parameter(value.to(dtype)))

    def forward(self, hidden):
        last = len(SIZES) - 2
        for index in range(last + 1):
            hidden = hidden @ getattr(self, f"weight{index}") + getattr(self, f"bias{index}")
            if index < last:
                hidden = hidden.tanh()
        return hidden


def power(**options):
    return powerSGD_hook.PowerSGDState(process_group=None, start_powerSGD_iter=2, **options)


def register(name, ddp):
    """Registers a hook and returns what averages the models."""
    match name:
        case "allReduce":
            ddp.register_comm_hook(None, default_hooks.allreduce_hook)
        case "fp16Compress":
            ddp.register_comm_hook(None, default_hooks.fp16_compress_hook)
        case "bf16Compress":
            # Under a name of its own, since DDP refuses that of the hook on Gloo, which adds bfloat16 well.
            ddp.register_comm_hook(None, lambda group, bucket: default_hooks.bf16_compress_hook(group, bucket))
        case "powerSGD":
            state = power(matrix_approximation_rank=1, min_compression_rate=1)
            ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
        case "powerSGD-2-same-shape":
            state = power(matrix_approximation_rank=2, min_compression_rate=1, batch_tensors_with_same_shape=True)
            ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
        case "powerSGD-3":
            state = power(matrix_approximation_rank=3, min_compression_rate=0.5)
            ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
        case "powerSGD-cold":
            state = power(matrix_approximation_rank=1, min_compression_rate=1, warm_start=False, random_seed=7)
            ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
        case "powerSGD-forgetful":
            state = power(
                matrix_approximation_rank=2, min_compression_rate=1, use_error_feedback=False, orthogonalization_epsilon=1e-3
            )
            ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
        case "powerSGD-bf16":
            state = power(matrix_approximation_rank=1, min_compression_rate=1)
            hook = default_hooks.bf16_compress_wrapper(powerSGD_hook.powerSGD_hook)
            ddp.register_comm_hook(state, lambda state, bucket: hook(state, bucket))
        case "batchedPowerSGD":
            ddp.register_comm_hook(power(matrix_approximation_rank=1), powerSGD_hook.batched_powerSGD_hook)
        case "batchedPowerSGD-3":
            ddp.register_comm_hook(power(matrix_approximation_rank=3), powerSGD_hook.batched_powerSGD_hook)
        case "quantizePerTensor":
            ddp.register_comm_hook(dist.group.WORLD, quantization_hooks.quantization_pertensor_hook)
        case "quantizePerChannel":
            hook = quantization_hooks.quantization_perchannel_hook
            ddp.register_comm_hook(dist.group.WORLD, lambda group, bucket: hook(group, bucket, bucket_size=16))
        case "postLocalSGD":
            state = post_localSGD_hook.PostLocalSGDState(None, None, 3, post_local_gradient_allreduce=False)
            ddp.register_comm_hook(state, post_localSGD_hook.post_localSGD_hook)
            return averagers.PeriodicModelAverager(period=2, warmup_steps=3)
        case "hierarchical":
            subgroup, _ = dist.new_subgroups(group_size=2)
            state = post_localSGD_hook.PostLocalSGDState(None, subgroup, 2)
            ddp.register_comm_hook(state, post_localSGD_hook.post_localSGD_hook)
            periods = {2: 2, 4: 4}
            return hierarchical_model_averager.HierarchicalModelAverager(period_group_size_dict=periods, warmup_steps=2)
    return None


def train(rank, size, name, dtype, store, results):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    network = Network(dtype)
    ddp = torch.nn.parallel.DistributedDataParallel(network)
    averager = register(name, ddp)
    rows = ROWS // size
    for step in range(STEPS):
        generator = torch.Generator().manual_seed(step)
        inputs = torch.randn(ROWS, SIZES[0], dtype=torch.float64, generator=generator).to(dtype)
        targets = torch.randn(ROWS, SIZES[-1], dtype=torch.float64, generator=generator).to(dtype)
        part = slice(rank * rows, (rank + 1) * rows)
        (ddp(inputs[part]) - targets[part]).square().mean().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(parameter.grad, alpha=-0.5)
        if averager:
            averager.average_parameters(network.parameters())
        network.zero_grad()
    values = torch.cat([parameter.detach().double().reshape(-1) for parameter in network.parameters()])
    torch.save(values, f"{results}/{rank}")
    dist.destroy_process_group()


# Name, ranks, type of the parameters, tolerance.
RUNS = [
    ("allReduce", 2, "float64", 1e-12),
    ("allReduce", 3, "float64", 1e-12),
    ("fp16Compress", 2, "float32", 1e-6),
    ("bf16Compress", 2, "float32", 1e-6),
    ("powerSGD", 2, "float64", 1e-10),
    ("powerSGD", 3, "float64", 1e-10),
    ("powerSGD-2-same-shape", 2, "float64", 1e-10),
    ("powerSGD-3", 2, "float64", 1e-10),
    ("powerSGD-cold", 2, "float64", 1e-10),
    ("powerSGD-forgetful", 2, "float64", 1e-10),
    ("powerSGD-bf16", 2, "float32", 2e-2),
    ("batchedPowerSGD", 2, "float64", 1e-10),
    ("batchedPowerSGD-3", 2, "float64", 1e-10),
    ("quantizePerTensor", 2, "float32", 1e-5),
    ("quantizePerChannel", 3, "float32", 1e-5),
    ("postLocalSGD", 2, "float64", 1e-12),
    ("hierarchical", 4, "float64", 1e-12),
]


def run(name, size, dtype):
    with tempfile.TemporaryDirectory() as folder:
        arguments = (size, name, getattr(torch, dtype), f"{folder}/store", folder)
        mp.spawn(train, arguments, nprocs=size)
        return [torch.load(f"{folder}/{rank}").tolist() for rank in range(size)]


if __name__ == "__main__":
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    runs = [
        {"name": name, "ranks": size, "dtype": dtype, "tolerance": tolerance, "parameters": run(name, size, dtype)}
        for name, size, dtype, tolerance in RUNS
    ]
    output.write("hooks.json", {"runs": runs})

"""The example workloads: data, models and initial weights that are the same bits in every language.

Run as a script it writes `workloads.json`, the checksums of every initial tensor, and compares them with
`--manifest FILE` when one is given.
"""

import argparse
import gzip
import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import output

REPOSITORY = Path(__file__).resolve().parents[2]
TRAIN_ROWS = 1500
CONTEXT = 128


# The only random source: SplitMix64, 24 bits of it


def u24(seed, count, start=0):
    """Elements start ..< start + count of the stream of `seed`, as uint64 below 2^24."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed << 32) + np.arange(start + 1, start + count + 1, dtype=np.uint64)
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z >> np.uint64(40)


def uniform(seed, shape, scale=1.0):
    """A float32 tensor of (u24 / 2^24 - 0.5) * scale, in row-major order."""
    values = u24(seed, math.prod(shape)).astype(np.float32) * np.float32(2.0**-24) - np.float32(0.5)
    return torch.from_numpy((values * np.float32(scale)).reshape(shape))


# Models


class DigitsMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class DigitsCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x.view(-1, 1, 8, 8))))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(F.max_pool2d(x, 2).flatten(1))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.c_attn(x).split(width, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(batch, length, width))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class ByteGPT(nn.Module):
    def __init__(self, width=256, heads=4, layers=4, context=CONTEXT):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(256, width),
                "wpe": nn.Embedding(context, width),
                "h": nn.ModuleList(Block(width, heads) for _ in range(layers)),
                "ln_f": nn.LayerNorm(width),
            }
        )
        self.lm_head = nn.Linear(width, 256, bias=False)

    def forward(self, tokens):
        x = self.transformer.wte(tokens) + self.transformer.wpe(torch.arange(tokens.shape[1]))
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(64) for _ in range(4))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=(2, 3)))


MODELS = {"w1": DigitsMLP, "w2": DigitsCNN, "w3": ByteGPT, "w4": ConvNet}


def make(workload):
    """The model of a workload with its initial weights."""
    model = MODELS[workload]()
    base = 1000 * int(workload[1])
    modules = dict(model.named_modules())
    with torch.no_grad():
        for k, (name, parameter) in enumerate(model.named_parameters()):
            owner, leaf = name.rpartition(".")[::2]
            module = modules[owner]
            if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
                parameter.fill_(1.0 if leaf == "weight" else 0.0)
                continue
            if workload != "w3":
                scale = 2.0 / math.sqrt(math.prod(module.weight.shape[1:]))
                scale *= 0.5 if workload == "w4" and ".conv2." in name else 1.0
            elif leaf == "bias":
                scale = 0.0
            else:
                scale = 0.024494897 if "c_proj" in name else 0.069282032
            values = uniform(base + k, tuple(parameter.shape), scale)
            parameter.copy_(values if scale else torch.zeros_like(values))
    return model


# Data: (inputs, targets) of the training and of the validation set


def read(name):
    """The bytes of a data file: in $STRATAGEM_DATA, or where the examples keep it, compressed or not."""
    chosen = os.environ.get("STRATAGEM_DATA")
    folders = [Path(chosen)] if chosen else sorted((REPOSITORY / "Examples").glob("*/Data"))
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).read_bytes()
        if (folder / f"{name}.gz").is_file():
            return gzip.decompress((folder / f"{name}.gz").read_bytes())
    places = ", ".join(map(str, folders)) or f"{REPOSITORY}/Examples/*/Data"
    raise SystemExit(f"{name} is in none of: {places}; name its folder with --data or STRATAGEM_DATA")


def digits():
    rows = np.loadtxt(read("digits.csv").decode().splitlines(), delimiter=",", skiprows=1)
    x = torch.from_numpy(rows[:, :64].astype(np.float32)) / 16
    y = torch.from_numpy(rows[:, 64].astype(np.int64))
    return (x[:TRAIN_ROWS], y[:TRAIN_ROWS]), (x[TRAIN_ROWS:], y[TRAIN_ROWS:])


def windows(name, limit=None):
    text = torch.from_numpy(np.frombuffer(read(name), dtype=np.uint8).astype(np.int64))
    count = (len(text) - 1) // CONTEXT
    count = min(count, limit or count)
    used = count * CONTEXT
    return text[:used].view(count, CONTEXT), text[1 : used + 1].view(count, CONTEXT)


def synthetic_images():
    classes = torch.arange(192) % 10
    x = uniform(4900, (192, 3, 32, 32), 2.0) + uniform(4901, (10, 3, 32, 32), 1.0)[classes]
    return (x[:160], classes[:160]), (x[160:], classes[160:])


def data(workload):
    if workload in ("w1", "w2"):
        return digits()
    if workload == "w3":
        return windows("gpl3.txt"), windows("gpl2.txt", 64)
    return synthetic_images()


def loss(logits, y, reduction="mean"):
    """Cross entropy over the last dimension of the logits: (N, C) or (B, T, C)."""
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1), reduction=reduction)


# Checksums


def checksum(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    exact = flat.double().numpy()
    return {
        "shape": list(tensor.shape),
        "dtype": output.dtype_name(tensor.dtype),
        "l2": float(np.sqrt(np.dot(exact, exact))),
        "sum": float(exact.sum()),
        "first": exact[:4].tolist(),
        "sha256": hashlib.sha256(flat.numpy().tobytes()).hexdigest(),
    }


def checksums():
    content = {"relative_tolerance": 1e-12}
    for seed in (1000, 4900):
        content[f"u24_seed{seed}_first8"] = [int(value) for value in u24(seed, 8)]
    for workload in MODELS:
        model = make(workload)
        content[workload] = {
            "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
            "parameter_order": [name for name, _ in model.named_parameters()],
            "tensors": {name: checksum(tensor) for name, tensor in model.state_dict().items()},
        }
        train, validation = data(workload)
        parts = zip(("train_x", "train_y", "val_x", "val_y"), (*train, *validation), strict=True)
        content[workload]["data"] = {name: checksum(tensor) for name, tensor in parts}
    return content


def compare(content, manifest):
    """Raises when a checksum differs from the manifest's; returns how many tensors were compared."""
    pairs = []
    for workload in MODELS:
        ours, theirs = content[workload]["tensors"], manifest[workload]["tensors"]
        assert list(ours) == list(theirs), f"{workload}: {list(ours)} against {list(theirs)}"
        assert content[workload]["parameter_order"] == manifest[workload]["param_order"]
        assert content[workload]["parameter_count"] == manifest[workload]["params"]
        pairs += [(f"{workload} {name}", ours[name], theirs[name]) for name in ours]
    pairs += [(name, content["w4"]["data"][name], theirs) for name, theirs in manifest["w4_data"].items()]
    for seed in (1000, 4900):
        assert content[f"u24_seed{seed}_first8"] == manifest[f"hash_u24_seed{seed}_first8"]
    for name, ours, theirs in pairs:
        for key in ("shape", "dtype", "first", "sha256"):
            assert ours[key] == theirs[key], f"{name}: {key} is {ours[key]}, the manifest says {theirs[key]}"
        for key in ("l2", "sum"):
            assert math.isclose(ours[key], theirs[key], rel_tol=1e-9, abs_tol=1e-9), f"{name}: {key}"
    return len(pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", help="JSON file of checksums to compare with")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    content = checksums()
    if arguments.manifest:
        count = compare(content, json.loads(Path(arguments.manifest).read_text()))
        print(f"  {count} tensors agree with {arguments.manifest}")
    output.write("workloads.json", content)


if __name__ == "__main__":
    main()

"""How reference values are written: JSON with floats in full precision and one list of scalars per line."""

import json
import math
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parent / "Data"


def number(value):
    """A JSON number; `nan`, `inf` and `-inf`, which JSON lacks, become strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def tensor(value):
    """`{"dtype", "shape", "values"}`; the values are in row-major order."""
    value = value.detach()
    values = value.double() if value.is_floating_point() else value
    return {
        "dtype": dtype_name(value.dtype),
        "shape": list(value.shape),
        "values": [number(item) for item in values.reshape(-1).tolist()],
    }


def tensors(mapping):
    return {name: tensor(value) for name, value in mapping.items()}


def summary(value):
    """The L2 norm (computed in float64) and the first four elements of a tensor."""
    flat = value.detach().double().reshape(-1)
    return {"l2": flat.norm().item(), "first": flat[:4].tolist()}


def summaries(mapping):
    return {name: summary(value) for name, value in mapping.items()}


def render(value, indent=""):
    inner = indent + "  "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(key)}: {render(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(inner + render(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)


def write(name, content):
    """Writes `Data/NAME`, with the version of PyTorch first."""
    text = render({"torch": torch.__version__, **content}) + "\n"
    limit = 200_000
    if len(text) >= limit:
        raise SystemExit(f"{name} has {len(text)} characters; keep it under {limit}")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_text(text)
    print(f"  {name}: {len(text)} bytes")

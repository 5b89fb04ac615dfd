"""The exact text of `print(tensor)` for many tensors, with what each is built from."""

import math

import torch

import output

NAN, INF = math.nan, math.inf

# name, dtype, shape, values
CASES = [
    ("scalar-float", "float32", [], [3.5]),
    ("scalar-float-integral", "float32", [], [3.0]),
    ("scalar-float-tiny", "float32", [], [1e-10]),
    ("scalar-float-small", "float32", [], [0.0012345]),
    ("scalar-float-large", "float32", [], [123456789.0]),
    ("scalar-float-nan", "float32", [], [NAN]),
    ("scalar-float-infinite", "float32", [], [-INF]),
    ("scalar-integer", "int64", [], [-7]),
    ("scalar-bool", "bool", [], [True]),
    ("scalar-double", "float64", [], [0.1]),
    ("scalar-bfloat16", "bfloat16", [], [1.5]),
    ("integers", "int64", [4], [1, 2, 3, 4]),
    ("integers-mixed-width", "int64", [4], [1, -20, 300, 0]),
    ("integers-large", "int64", [2], [9223372036854775807, -9223372036854775808]),
    ("integers-wrapped", "int64", [40], list(range(0, 4000, 100))),
    ("int32", "int32", [3], [1, 2, 3]),
    ("int16", "int16", [2], [-5, 10]),
    ("int8", "int8", [2], [-128, 127]),
    ("uint8", "uint8", [3], [0, 7, 255]),
    ("bool", "bool", [3], [True, False, True]),
    ("bool-matrix", "bool", [2, 2], [True, False, False, False]),
    ("floats", "float32", [3], [0.1, -0.2, 0.3]),
    ("floats-integral", "float32", [3], [1.0, 2.0, 3.0]),
    ("floats-integral-negative", "float32", [4], [-1.0, 20.0, 300.0, 0.0]),
    ("floats-integral-large", "float32", [2], [1e6, 123456.0]),
    ("floats-integral-scientific", "float32", [2], [1e9, 1.0]),
    ("floats-mixed-magnitude", "float32", [4], [0.001, 1.0, 25.5, 999.125]),
    ("floats-ratio-scientific", "float32", [3], [1e-3, 1.5, 2000.0]),
    ("floats-small-scientific", "float32", [3], [1e-5, 2e-5, 3.5e-5]),
    ("floats-large-scientific", "float32", [2], [1.5e8, 2.25e8]),
    ("floats-negative-scientific", "float32", [3], [-1.25e-6, 0.0, 3e10]),
    ("floats-huge-exponent", "float32", [2], [1e-38, 3e38]),
    ("floats-zero", "float32", [3], [0.0, 0.0, 0.0]),
    ("floats-negative-zero", "float32", [2], [-0.0, 1.5]),
    ("floats-with-nan", "float32", [3], [1.5, NAN, -2.25]),
    ("floats-with-infinities", "float32", [4], [1.0, INF, -INF, 2.0]),
    ("floats-only-nan", "float32", [2], [NAN, INF]),
    ("floats-wrapped", "float32", [25], [0.5 * i - 3 for i in range(25)]),
    ("doubles", "float64", [3], [0.1, 0.25, 1 / 3]),
    ("doubles-integral", "float64", [2], [1.0, 2.0]),
    ("doubles-scientific", "float64", [2], [1e-100, 1e100]),
    ("float16", "float16", [3], [0.5, 1.25, -3.0]),
    ("bfloat16", "bfloat16", [3], [0.1, 1.0, 300.0]),
    ("matrix-floats", "float32", [2, 3], [0.5, -1.25, 2.0, 10.75, 0.0, -100.0]),
    ("matrix-integers", "int64", [3, 2], [1, 2, 3, 4, 5, 60]),
    ("matrix-one-row", "float32", [1, 3], [1.5, 2.5, 3.5]),
    ("matrix-wrapped", "float32", [2, 20], [i / 7 for i in range(40)]),
    ("three-dimensions", "float32", [2, 2, 3], [i / 4 for i in range(12)]),
    ("three-dimensions-integers", "int64", [2, 1, 2], [1, 2, 3, 4]),
    ("four-dimensions", "int64", [2, 2, 1, 2], list(range(8))),
    ("empty", "float32", [0], []),
    ("empty-integers", "int64", [0], []),
    ("empty-matrix", "float32", [0, 3], []),
    ("empty-double", "float64", [2, 0], []),
]

# name, dtype, shape: the values are 0, 1, 2, ... in row-major order, divided by the divisor
COUNTED = [
    ("threshold-not-summarised", "int64", [1000], 1),
    ("summarised-integers", "int64", [1001], 1),
    ("summarised-floats", "float32", [2000], 8),
    ("summarised-matrix", "float32", [40, 50], 4),
    ("summarised-wide", "int64", [2, 1000], 1),
    ("summarised-tall", "float32", [1000, 2], 2),
    ("summarised-three-dimensions", "float32", [12, 12, 12], 16),
    ("summarised-one-by-many", "float32", [1, 1, 1100], 1),
]


def case(name, tensor, source):
    return {
        "name": name,
        "dtype": output.dtype_name(tensor.dtype),
        "shape": list(tensor.shape),
        **source,
        "requires_grad": tensor.requires_grad,
        "text": str(tensor),
    }


def cases():
    for name, dtype, shape, values in CASES:
        tensor = torch.tensor(values, dtype=getattr(torch, dtype)).reshape(shape)
        yield case(name, tensor, {"values": [output.number(value) for value in values]})
    for name, dtype, shape, divisor in COUNTED:
        count = math.prod(shape)
        values = torch.arange(count, dtype=getattr(torch, dtype))
        values = values / divisor if values.is_floating_point() else values
        yield case(name, values.reshape(shape), {"arange": count, "divisor": divisor})
    for name, values in (("gradient-vector", [1.0, 2.5]), ("gradient-matrix", [[1.0], [2.0]])):
        tensor = torch.tensor(values, requires_grad=True)
        yield case(name, tensor, {"values": tensor.flatten().tolist()})
    double = torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
    yield case("gradient-double", double, {"values": [1.5]})


if __name__ == "__main__":
    output.write("printing.json", {"relative_tolerance": 0, "cases": list(cases())})

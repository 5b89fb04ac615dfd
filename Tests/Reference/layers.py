"""Layers, losses and functions on small fixed tensors: outputs, gradients, buffers, dropout masks.

Writes `layers.json` (modules) and `functions.json` (activations, losses, attention).

The gradient that flows into each output is fixed too ("output_gradient"), so that every gradient is a plain number.
"""

import math
from functools import partial
from itertools import count

import torch
import torch.nn.functional as F
from torch import nn

import output
from workloads import uniform

seeds = count(8000)


def fixed(*shape, scale=2.0):
    """A tensor nobody else gets: each call takes the next seed."""
    return uniform(next(seeds), shape, scale)


def case(name, kind, settings, function, inputs, module=None):
    """Runs a function forwards and backwards. Every float tensor in `inputs` gets a gradient."""
    leaves = {
        key: value.clone().requires_grad_() if value.is_floating_point() else value for key, value in inputs.items()
    }
    result = function(**leaves)
    upstream = fixed(*result.shape)
    result.backward(upstream)
    entry = {"name": name, "kind": kind, "settings": settings, "inputs": output.tensors(inputs)}
    if module is not None:
        entry["parameters"] = output.tensors(dict(module.named_parameters()))
    entry["output"] = output.tensor(result)
    entry["output_gradient"] = output.tensor(upstream)
    entry["input_gradients"] = output.tensors(
        {key: value.grad for key, value in leaves.items() if value.is_floating_point() and value.grad is not None}
    )
    if module is not None:
        entry["parameter_gradients"] = output.tensors(
            {key: parameter.grad for key, parameter in module.named_parameters() if parameter.grad is not None}
        )
    return entry


def layer(name, module, settings, **inputs):
    """A module whose parameters are filled with fixed values; its buffers before and after go along."""
    module.zero_grad()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(fixed(*parameter.shape))
    before = {key: value.clone() for key, value in module.named_buffers()}
    entry = case(name, type(module).__name__, settings, module, inputs, module)
    if before:
        entry["buffers_before"] = output.tensors(before)
        entry["buffers_after"] = output.tensors(dict(module.named_buffers()))
    return entry


def function(name, kind, call, settings=None, **inputs):
    return case(name, kind, settings or {}, call, inputs)


def linear_layers():
    yield layer("linear", nn.Linear(4, 3), {"in": 4, "out": 3}, input=fixed(2, 4))
    yield layer("linear-no-bias", nn.Linear(4, 3, bias=False), {"in": 4, "out": 3, "bias": False}, input=fixed(2, 4))
    yield layer("linear-three-dimensions", nn.Linear(4, 3), {"in": 4, "out": 3}, input=fixed(2, 3, 4))


def convolutions():
    variants = {
        "conv2d": {},
        "conv2d-no-bias": {"bias": False},
        "conv2d-stride": {"stride": 2},
        "conv2d-padding": {"padding": 1},
        "conv2d-dilation": {"dilation": 2, "padding": 2},
        "conv2d-groups": {"groups": 2},
        "conv2d-rectangular": {"stride": (2, 1), "padding": (0, 1), "kernel_size": (2, 3)},
    }
    for name, options in variants.items():
        settings = {"in_channels": 2, "out_channels": 4, "kernel_size": 3, **options}
        yield layer(name, nn.Conv2d(**settings), settings, input=fixed(2, 2, 5, 5))


def normalisations():
    for name, kind, shape in (("1d", nn.BatchNorm1d, (4, 3)), ("2d", nn.BatchNorm2d, (2, 3, 2, 2))):
        module = kind(3)
        yield layer(f"batch-norm-{name}-train", module, {"num_features": 3, "training": True}, input=fixed(*shape))
        yield layer(
            f"batch-norm-{name}-eval", module.eval(), {"num_features": 3, "training": False}, input=fixed(*shape)
        )
    settings = {"num_features": 3, "eps": 1e-3, "momentum": 0.3, "training": True}
    yield layer("batch-norm-options", nn.BatchNorm1d(3, eps=1e-3, momentum=0.3), settings, input=fixed(4, 3))
    settings = {"num_features": 3, "affine": False, "training": True}
    yield layer("batch-norm-plain", nn.BatchNorm1d(3, affine=False), settings, input=fixed(4, 3))
    yield layer("layer-norm", nn.LayerNorm(5), {"normalized_shape": [5], "eps": 1e-5}, input=fixed(3, 5))
    settings = {"normalized_shape": [2, 3], "eps": 1e-3}
    yield layer("layer-norm-two-dimensions", nn.LayerNorm([2, 3], eps=1e-3), settings, input=fixed(2, 2, 3))
    settings = {"normalized_shape": [5], "eps": 1e-5, "bias": False}
    yield layer("layer-norm-no-bias", nn.LayerNorm(5, bias=False), settings, input=fixed(3, 5))


def embeddings():
    tokens = torch.tensor([[0, 2, 1], [4, 2, 2]])
    yield layer("embedding", nn.Embedding(5, 3), {"num_embeddings": 5, "embedding_dim": 3}, input=tokens)
    settings = {"num_embeddings": 5, "embedding_dim": 3, "padding_idx": 2}
    yield layer("embedding-padding", nn.Embedding(5, 3, padding_idx=2), settings, input=tokens)


def activations():
    simple = {
        "relu": F.relu,
        "leaky-relu": F.leaky_relu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": F.gelu,
        "silu": F.silu,
        "softplus": F.softplus,
        "elu": F.elu,
    }
    for name, call in simple.items():
        yield function(name, name, call, input=fixed(2, 5, scale=6.0))
    yield function(
        "gelu-tanh",
        "gelu",
        partial(F.gelu, approximate="tanh"),
        {"approximate": "tanh"},
        input=fixed(2, 5, scale=6.0),
    )
    for dim in (0, 1):
        yield function(
            f"softmax-{dim}", "softmax", partial(F.softmax, dim=dim), {"dim": dim}, input=fixed(3, 4, scale=6.0)
        )
        yield function(
            f"log-softmax-{dim}",
            "log-softmax",
            partial(F.log_softmax, dim=dim),
            {"dim": dim},
            input=fixed(3, 4, scale=6.0),
        )


def pooling():
    variants = {
        "max-pool": ("MaxPool2d", {"kernel_size": 2}),
        "max-pool-stride-padding": ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
        "max-pool-ceil": ("MaxPool2d", {"kernel_size": 2, "ceil_mode": True}),
        "avg-pool": ("AvgPool2d", {"kernel_size": 2}),
        "avg-pool-stride-padding": ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
        "avg-pool-exclude-padding": (
            "AvgPool2d",
            {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
        ),
        "adaptive-avg-pool": ("AdaptiveAvgPool2d", {"output_size": 1}),
        "adaptive-avg-pool-uneven": ("AdaptiveAvgPool2d", {"output_size": [2, 3]}),
    }
    for name, (kind, settings) in variants.items():
        yield layer(name, getattr(nn, kind)(**settings), settings, input=fixed(1, 2, 5, 5))


def losses():
    classes = torch.tensor([1, 0, 3, 2])
    ignoring = torch.tensor([1, -100, 3, -100])
    weighted = torch.tensor([0.5, 1.0, 2.0, 0.25])
    for name, options in {
        "mean": {},
        "sum": {"reduction": "sum"},
        "none": {"reduction": "none"},
        "label-smoothing": {"label_smoothing": 0.1},
        "label-smoothing-sum": {"label_smoothing": 0.3, "reduction": "sum"},
    }.items():
        yield function(
            f"cross-entropy-{name}",
            "cross_entropy",
            partial(F.cross_entropy, **options),
            options,
            input=fixed(4, 4, scale=6.0),
            target=classes,
        )
    for name, options in {
        "ignore-index": {},
        "ignore-index-sum": {"reduction": "sum"},
        "ignore-index-smoothing": {"label_smoothing": 0.2},
    }.items():
        yield function(
            f"cross-entropy-{name}",
            "cross_entropy",
            partial(F.cross_entropy, **options),
            {"ignore_index": -100, **options},
            input=fixed(4, 4, scale=6.0),
            target=ignoring,
        )
    yield function(
        "cross-entropy-weight",
        "cross_entropy",
        partial(F.cross_entropy, weight=weighted),
        {"weight": weighted.tolist()},
        input=fixed(4, 4, scale=6.0),
        target=classes,
    )
    yield function(
        "cross-entropy-positions",
        "cross_entropy",
        F.cross_entropy,
        input=fixed(2, 3, 4, scale=6.0),
        target=torch.tensor([[0, 1, 2, 0], [2, 2, 1, 0]]),
    )
    yield function(
        "cross-entropy-probabilities",
        "cross_entropy",
        F.cross_entropy,
        input=fixed(2, 3, scale=6.0),
        target=torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]),
    )
    for reduction in ("mean", "sum", "none"):
        options = {"reduction": reduction}
        yield function(
            f"nll-{reduction}",
            "nll_loss",
            partial(F.nll_loss, **options),
            options,
            input=-fixed(4, 4).abs(),
            target=classes,
        )
        for kind in ("mse_loss", "l1_loss", "smooth_l1_loss"):
            yield function(
                f"{kind.removesuffix('_loss').replace('_', '-')}-{reduction}",
                kind,
                partial(getattr(F, kind), **options),
                options,
                input=fixed(3, 2, scale=4.0),
                target=fixed(3, 2, scale=4.0),
            )
        yield function(
            f"bce-with-logits-{reduction}",
            "binary_cross_entropy_with_logits",
            partial(F.binary_cross_entropy_with_logits, **options),
            options,
            input=fixed(3, 2, scale=6.0),
            target=fixed(3, 2, scale=1.0) + 0.5,
        )
    options = {"beta": 0.25, "reduction": "mean"}
    yield function(
        "smooth-l1-beta",
        "smooth_l1_loss",
        partial(F.smooth_l1_loss, **options),
        options,
        input=fixed(3, 2, scale=4.0),
        target=fixed(3, 2, scale=4.0),
    )


def attention():
    shape = (1, 2, 4, 3)
    for name, options in {"plain": {}, "causal": {"is_causal": True}, "scale": {"scale": 0.25}}.items():
        yield function(
            f"attention-{name}",
            "scaled_dot_product_attention",
            partial(F.scaled_dot_product_attention, **options),
            options,
            query=fixed(*shape),
            key=fixed(*shape),
            value=fixed(*shape),
        )


def dropout_masks():
    """What dropout makes of ones after `torch.manual_seed`: zeros, and 1 / (1 - p) where an element is kept."""
    for seed in (0, 42):
        for p in (0.1, 0.5):
            torch.manual_seed(seed)
            first, second = F.dropout(torch.ones(24), p), F.dropout(torch.ones(3, 4), p)
            yield {"seed": seed, "p": p, "first": output.tensor(first), "second": output.tensor(second)}


def initial_bounds():
    """Default initial weights: every layer draws from a uniform distribution within a bound (normal for embeddings)."""
    return {
        "linear": {"in": 64, "weight_bound": 1 / math.sqrt(64), "bias_bound": 1 / math.sqrt(64)},
        "conv2d": {
            "in_channels": 3,
            "kernel_size": 3,
            "weight_bound": 1 / math.sqrt(27),
            "bias_bound": 1 / math.sqrt(27),
        },
        "embedding": {"mean": 0.0, "deviation": 1.0},
    }


def initial_weights():
    """Default initial weights after `torch.manual_seed(0)`, layer by layer in this order."""
    torch.manual_seed(0)
    modules = {"linear": nn.Linear(6, 4), "conv2d": nn.Conv2d(2, 3, 3), "embedding": nn.Embedding(5, 4)}
    return {name: output.tensors(dict(module.named_parameters())) for name, module in modules.items()}


def cases(*groups):
    return [entry for group in groups for entry in group()]


if __name__ == "__main__":
    torch.set_num_threads(1)
    tolerances = {"relative_tolerance": 1e-5, "absolute_tolerance": 1e-6}
    stateful = {
        **tolerances,
        "cases": cases(linear_layers, convolutions, normalisations, embeddings, pooling),
        "dropout": list(dropout_masks()),
        "initial_bounds": initial_bounds(),
        "initial_weights": initial_weights(),
    }
    output.write("layers.json", stateful)
    output.write("functions.json", {**tolerances, "cases": cases(activations, losses, attention)})

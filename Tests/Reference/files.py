"""Small files that PyTorch wrote, for the tests of the Swift reader, and `files.json` with what is in them.

`state-dict.pt`   an OrderedDict with the attribute `_metadata`, as `module.state_dict()` gives: every dtype, a view
                  that is not contiguous, views that share a storage, a scalar and an empty tensor
`values.pt`       nested Python values, a Parameter among them
`digits-mlp.ckpt` a Lightning-shaped checkpoint of the digits perceptron with AdamW's state
"""

import zipfile
from collections import OrderedDict

import torch

import output
import write_checkpoint


def state_dictionary():
    storage = torch.arange(12, dtype=torch.float32) / 4
    state = OrderedDict(
        {
            "float32": torch.tensor([[1.5, -2.25, 3.0], [0.1, 1e-30, 1e30]]),
            "float64": torch.tensor([0.1, 1 / 3], dtype=torch.float64),
            "float16": torch.tensor([0.5, -1.25], dtype=torch.float16),
            "bfloat16": torch.tensor([1.0, 0.1, -300.0], dtype=torch.bfloat16),
            "int64": torch.tensor([1, -(2**40), 2**62]),
            "int32": torch.tensor([[7], [-8]], dtype=torch.int32),
            "int16": torch.tensor([-300, 300], dtype=torch.int16),
            "int8": torch.tensor([-128, 127], dtype=torch.int8),
            "uint8": torch.tensor([0, 255], dtype=torch.uint8),
            "bool": torch.tensor([True, False, True]),
            "scalar": torch.tensor(42),
            "empty": torch.empty(0, 3),
            "transposed": torch.arange(6, dtype=torch.float32).view(2, 3).t(),
            "shared.whole": storage,
            "shared.tail": storage[8:],
            "shared.column": storage.view(3, 4)[:, 1],
        }
    )
    state._metadata = OrderedDict({"": {"version": 1}, "shared": {"version": 2}})
    return state


def values():
    return {
        "none": None,
        "true": True,
        "false": False,
        "small": 7,
        "negative": -1,
        "byte": 255,
        "short": 65_535,
        "int": -2_147_483_648,
        "long": 2**40,
        "lowest": -(2**63),
        "double": 0.1,
        "infinite": float("inf"),
        "string": "plain",
        "unicode": "Größe 数 🙂",
        "long_string": "x" * 300,
        "empty_list": [],
        "empty_tuple": (),
        "empty_dictionary": {},
        "list": [1, "two", 3.0, None, [4]],
        "pair": (0.9, 0.999),
        "triple": (1, 2, 3),
        "quadruple": (1, 2, 3, 4),
        "integer_keys": {0: "zero", 1: "one", 300: "many"},
        "nested": {"a": {"b": [{"c": (1, [2])}]}},
        "repeated": ["same"] * 3,
        "ordered": OrderedDict(first=1, second=2),
    }


def describe(value):
    """A JSON form that keeps apart what JSON does not: {"tuple": [...]}, {"dictionary": [[key, value], ...]}."""
    if isinstance(value, dict):
        return {"dictionary": [[key, describe(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [describe(item) for item in value]}
    if isinstance(value, list):
        return [describe(item) for item in value]
    return output.number(value)


def save(content, name):
    path = output.FOLDER / name
    path.parent.mkdir(exist_ok=True)
    torch.save(content, path)
    return path


def main():
    torch.set_num_threads(1)
    state = state_dictionary()
    save(state, "state-dict.pt")
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    save({**values(), "parameter": parameter}, "values.pt")

    path = output.FOLDER / "digits-mlp.ckpt"
    training = write_checkpoint.write(path, "adamw", steps=5)
    content = torch.load(path, weights_only=True)
    optimizer = content["optimizer_states"][0]
    with zipfile.ZipFile(path) as archive:
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
    output.write(
        "files.json",
        {
            "relative_tolerance": 1e-5,
            "state-dict.pt": {
                name: {
                    **output.tensor(value),
                    "strides": list(value.stride()),
                    "storage_offset": value.storage_offset(),
                }
                for name, value in state.items()
            },
            "shared_storage": ["shared.whole", "shared.tail", "shared.column"],
            "values.pt": {"values": describe(values()), "parameter": output.tensor(parameter)},
            "digits-mlp.ckpt": {
                **training,
                "stored_uncompressed": stored,
                "keys": list(content),
                "epoch": content["epoch"],
                "global_step": content["global_step"],
                "pytorch-lightning_version": content["pytorch-lightning_version"],
                "hyper_parameters": content["hyper_parameters"],
                "callbacks": list(content["callbacks"]),
                "weights": output.summaries(content["state_dict"]),
                "optimizer_state": {str(index): output.summaries(entry) for index, entry in optimizer["state"].items()},
                "param_groups": optimizer["param_groups"],
            },
        },
    )


if __name__ == "__main__":
    main()

"""Prints what TensorBoard reads from a folder of event files, as JSON.

    python read_events.py FOLDER
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util import tensor_util


def plugin_data(events, tag):
    return HParamsPluginData.FromString(events.SummaryMetadata(tag).plugin_data.content)


def value(message):
    return getattr(message, message.WhichOneof("kind"))


def main(folder):
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0, "histograms": 0})
    events.Reload()
    tags = events.Tags()
    result = {
        "scalars": {tag: [[e.step, repr(e.value), e.wall_time] for e in events.Scalars(tag)] for tag in tags["scalars"]},
        "texts": {},
        "histograms": {},
        "hyperParameters": {},
        "status": None,
    }
    for tag in tags["tensors"]:
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "text":
            texts = [tensor_util.make_ndarray(e.tensor_proto) for e in events.Tensors(tag)]
            result["texts"][tag] = [text.item().decode() for text in texts]
    for tag in tags["histograms"]:
        value_of = events.Histograms(tag)[-1].histogram_value
        result["histograms"][tag] = {
            "minimum": value_of.min, "maximum": value_of.max, "count": value_of.num, "sum": value_of.sum,
            "sumOfSquares": value_of.sum_squares, "limits": list(value_of.bucket_limit),
            "counts": list(value_of.bucket),
        }
    if "_hparams_/session_start_info" in tags["tensors"]:
        start = plugin_data(events, "_hparams_/session_start_info").session_start_info
        result["hyperParameters"] = {name: json.dumps(value(v)) for name, v in start.hparams.items()}
    if "_hparams_/session_end_info" in tags["tensors"]:
        result["status"] = plugin_data(events, "_hparams_/session_end_info").session_end_info.status
    json.dump(result, sys.stdout)


main(sys.argv[1])

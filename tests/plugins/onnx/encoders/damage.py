"""Graphs and tokenizers that mean harm, or were written by somebody in a hurry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LONG = 6
"""Tokens beyond which the graph of `never_end` runs for ever."""


def edit(path: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    """Change the graph at `path`; its weights stay where they are."""
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())


def place_weights(location: str) -> Callable[[onnx.ModelProto], None]:
    """Say that all weights lie in another file."""

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location

    return change


def never_end(model: onnx.ModelProto, longer_than: int = LONG) -> None:
    """A loop behind the graph that ends at once for short texts, and never for long ones."""
    graph = model.graph
    number = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes"]),
            helper.make_node("Add", ["sum", "step"], ["next"]),
        ],
        "body",
        [
            number("turn", TensorProto.INT64, []),
            number("going", TensorProto.BOOL, []),
            number("sum", TensorProto.FLOAT, []),
        ],
        [number("goes", TensorProto.BOOL, []), number("next", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(np.array(0, np.float32), "step")],
    )
    output = graph.output[0].name
    _rename(graph, output, "before_loop")
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(0, np.float32), "nothing"),
            numpy_helper.from_array(np.array(longer_than, np.int64), "long"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Shape", ["input_ids"], ["own_size"], start=1, end=2),
            helper.make_node("Squeeze", ["own_size"], ["own_length"]),
            helper.make_node("Greater", ["own_length", "long"], ["is_long"]),
            helper.make_node("Loop", ["", "is_long", "nothing"], ["looped"], body=body),
            helper.make_node("Add", ["before_loop", "looped"], [output]),
        ]
    )


def _rename(graph: onnx.GraphProto, name: str, other: str) -> None:
    for node in graph.node:
        node.output[:] = [other if each == name else each for each in node.output]


def take_everything(model: onnx.ModelProto) -> None:
    """Ask for 4 TB in the midst of a run."""
    graph = model.graph
    output = graph.output[0].name
    graph.node[-1].output[0] = "before_sum"
    graph.initializer.append(numpy_helper.from_array(np.array([2**20, 2**20], np.int64), "absurd"))
    graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["absurd"], ["much"]),
            helper.make_node("ReduceSum", ["much"], ["sum"], keepdims=0),
            helper.make_node("Add", ["before_sum", "sum"], [output]),
        ]
    )


def claim_numbers(model: onnx.ModelProto) -> None:
    """Say that a tensor has 2**62 numbers."""
    tensor = model.graph.initializer[0]
    del tensor.dims[:]
    tensor.dims.extend([2**31, 2**31])


def want_pictures(model: onnx.ModelProto) -> None:
    """Ask for an input that no text gives."""
    shape = [1, 3, 224, 224]
    model.graph.input.append(helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape))


def go_round(model: onnx.ModelProto) -> None:
    """Feed the first operator with what the last one gives."""
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def give_nothing(model: onnx.ModelProto) -> None:
    """Leave no output."""
    del model.graph.output[:]


def rewrite_tokenizer(folder: Path, **parts: Any) -> None:
    """Replace parts of a tokenizer.json."""
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **parts}))

"""Read what an ONNX file says of its graph, without its weights and without native code.

An ONNX file is a protobuf message ``ModelProto``; the numbers of fields are those of onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Weights are stepped over, so that a file
of gigabytes is read in milliseconds. Every length is held against the file's size.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Final

from jan_host import ModelBrokenError

from jan_host_onnx.protobuf import Message, MessageError

MOST_DEPTH: Final = 8
"""Graphs inside graphs (the branches of a merged decoder) that are looked into."""
FLOAT_TYPES: Final = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
TYPE_NAMES: Final = {
    **FLOAT_TYPES,
    2: "uint8",
    3: "int8",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
}
"""``TensorProto.DataType`` by its numbers, as far as inputs and outputs of text models use them."""


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a graph."""

    name: str
    type: str
    """The type of its elements, such as ``int64``; ``""`` when it is another or not told."""
    shape: tuple[int | str | None, ...]
    """Each dimension: a number, a name, or ``None`` when it is open."""


@dataclass(slots=True)
class Graph:
    """What a file says of its graph."""

    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    operators: set[str] = field(default_factory=set)
    """The types of its operators, those of its branches included."""
    data_files: dict[str, int] = field(default_factory=dict)
    """Files that hold weights, as the graph names them, and how many bytes each must have."""
    weights: dict[str, int] = field(default_factory=dict)
    """How many numbers its weights have, by their type."""
    metadata: dict[str, str] = field(default_factory=dict)
    positions: int | None = None
    """How many positions its table has; ``None`` when it has no table by that name."""
    opset: int = 0
    """The version of the standard operators."""
    ir_version: int = 0

    def input(self, name: str) -> Value | None:
        """The input of that name."""
        return next((value for value in self.inputs if value.name == name), None)

    def output(self, name: str) -> Value | None:
        """The output of that name."""
        return next((value for value in self.outputs if value.name == name), None)

    @property
    def has_cache(self) -> bool:
        """Whether it takes the keys and values of tokens that were computed before."""
        return any(value.name.startswith(("past_key_values", "past_")) for value in self.inputs)

    @property
    def quantizes_activations(self) -> bool:
        """Whether it rounds activations by a scale that it finds over the whole batch."""
        return bool(
            self.operators & {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
        )


def read_graph(path: Path) -> Graph:
    """What the ONNX file at `path` says of its graph.

    Raises:
        ModelBrokenError: It is no ONNX file, or is cut off; says why.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            begin = data[:40]
            graph = _read_model(Message(data, 0, len(data)))
    except MessageError as error:
        raise ModelBrokenError(_why_not(path, begin, str(error))) from error
    except ValueError as error:  # an empty file can't be mapped
        raise ModelBrokenError(f"{path.name} is empty. Download it again.") from error
    except OSError as error:
        raise ModelBrokenError(f"{path.name} can't be read: {error.strerror or error}.") from error
    if not graph.inputs or not graph.outputs:
        raise ModelBrokenError(_why_not(path, begin, "it has no graph with inputs and outputs"))
    return graph


def _why_not(path: Path, begin: bytes, reason: str) -> str:
    if begin.startswith(b"version https://git-lfs"):
        return f"{path.name} is a pointer of Git LFS, not the model. Fetch the file that it stands for."
    return f"{path.name} is not a whole ONNX file: {reason}. Download it again."


def _read_model(message: Message) -> Graph:
    graph = Graph()
    for number, value in message.fields():
        if number == 1 and isinstance(value, int):
            graph.ir_version = value
        elif number == 7 and isinstance(value, Message):
            _read_body(value, graph, depth=0)
        elif number == 8 and isinstance(value, Message):
            domain, version = value.text(1), value.number(2)
            if domain in ("", "ai.onnx"):
                graph.opset = version
        elif number == 14 and isinstance(value, Message):
            graph.metadata[value.text(1)] = value.text(2)
    return graph


def _read_body(message: Message, graph: Graph, depth: int) -> None:
    """Read a ``GraphProto``: the model's own, or a branch inside it (whose inputs are not the model's)."""
    if depth > MOST_DEPTH:
        raise MessageError("its graphs are nested too deep")
    weights: set[str] = set()
    inputs: list[Value] = []
    for number, value in message.fields():
        if not isinstance(value, Message):
            continue
        if number == 1:
            _read_node(value, graph, depth)
        elif number == 5:
            weights.add(_read_tensor(value, graph))
        elif number == 11 and depth == 0:
            inputs.append(_read_value(value))
        elif number == 12 and depth == 0:
            graph.outputs.append(_read_value(value))
    # Files of old IR versions list their weights among the inputs.
    graph.inputs += [value for value in inputs if value.name not in weights]


def _read_node(message: Message, graph: Graph, depth: int) -> None:
    for number, value in message.fields():
        if not isinstance(value, Message):
            continue
        if number == 4:
            graph.operators.add(value.as_text())
        elif number == 5:
            for inner, part in value.fields():
                if isinstance(part, Message) and inner == 5:
                    _read_tensor(part, graph)
                elif isinstance(part, Message) and inner in (6, 11):
                    _read_body(part, graph, depth + 1)


def _read_tensor(message: Message, graph: Graph) -> str:
    """Note the file that holds a tensor's numbers, if another does; gives the tensor's name."""
    name = ""
    told: dict[str, str] = {}
    dimensions: list[int] = []
    kind = ""
    for number, value in message.fields():
        if number == 2 and isinstance(value, int):
            kind = TYPE_NAMES.get(value, "")
        elif number == 1:
            dimensions += [value] if isinstance(value, int) else value.varints()
        elif number == 8 and isinstance(value, Message):
            name = value.as_text()
        elif number == 13 and isinstance(value, Message):
            told[value.text(1)] = value.text(2)
    if "location" in told:
        end = _whole(told.get("offset")) + _whole(told.get("length"))
        graph.data_files[told["location"]] = max(end, graph.data_files.get(told["location"], 0))
    graph.weights[kind] = graph.weights.get(kind, 0) + prod(dimensions)
    if "position_embeddings.weight" in name and len(dimensions) == 2:
        graph.positions = dimensions[0]
    return name


def _read_value(message: Message) -> Value:
    """Read a ``ValueInfoProto``: its type is ``TypeProto.tensor_type`` of element type and shape."""
    tensor = next((part for part in message.at(2, 1)), None)
    if tensor is None:
        return Value(message.text(1), "", ())
    shape = tuple(_dimension(part) for part in tensor.at(2, 1))
    return Value(message.text(1), TYPE_NAMES.get(tensor.number(1), ""), shape)


def _dimension(message: Message) -> int | str | None:
    for number, value in message.fields():
        if number == 1 and isinstance(value, int):
            return value
        if number == 2 and isinstance(value, Message):
            return value.as_text()
    return None


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 20 else 0


def data_paths(path: Path, graph: Graph) -> Iterator[tuple[Path, int]]:
    """The files of weights of a graph and the bytes that each must have.

    Args:
        path: The graph's own file; the others lie beside it, or below.
        graph: What it says.

    Raises:
        ModelBrokenError: A name leads out of the graph's folder.
    """
    for name, size in graph.data_files.items():
        parts = name.replace("\\", "/").split("/")
        if not name or ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or "\0" in name:
            raise ModelBrokenError(
                f"{path.name} names a file of weights outside its folder ({name!r}), which is refused."
                " Export the model with its weights beside it."
            )
        yield path.parent.joinpath(*parts), size

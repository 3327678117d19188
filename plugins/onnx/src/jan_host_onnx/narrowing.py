"""Rewrite a graph so that its products with large constant matrices are computed in integers of 8 bits.

ONNX Runtime turns weights that a file keeps in 8 bits into floats when it loads them, and computes with
those. Its operator ``MatMulNBits`` keeps them as they are, and rounds the other side row by row and block by
block, so that what comes out for a text does not depend on its neighbours
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits).

The numbers of fields are those of onnx.proto, as in `jan_host_onnx.graph`.
"""

import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from jan_host_onnx.protobuf import Message, number_field, part_field

BLOCK: Final = 64
"""Numbers of a column that share a scale. Measured with MiniLM, one thread, 22 tokens; cosine to 32 bits over
32 texts, mean and least (a text of one letter): 32 bits 9.8 ms; 32: 7.8 ms, 0.9998, 0.9993;
64: 7.1 ms, 0.9996, 0.9986; 128: 6.4 ms, 0.9992, 0.9965."""
LEAST_NUMBERS: Final = 64 * 1024
"""Smaller matrices cost little. Those of 384 x 384 (MiniLM's attention) gain as much as larger ones."""
_FLOAT: Final = 1
_UINT8: Final = 2
_ZERO: Final = 128
_LARGEST: Final = 127
_WHOLE: Final = 1e-3
"""How far a weight may lie from a multiple of its column's scale: what a product of floats rounds off."""
_INTEGERS: Final = 4
"""The level of accuracy at which the other side is rounded to 8 bits too."""

_NUMBERS: Final = "/8bit"
_SCALES: Final = "/8bit_scales"

Floats = npt.NDArray[np.float32]
Part = bytes | Message


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A constant ``[rows, columns]`` of floats."""

    name: str
    rows: int
    columns: int
    data: Message

    def values(self) -> Floats:
        found: Floats = np.frombuffer(self.data.content(), "<f4").reshape(self.rows, self.columns)
        return found


def narrow(source: Path, target: Path) -> bool:
    """Write the graph at `source` to `target` with its large matrices in 8 bits.

    Args:
        source: A graph that ONNX Runtime has optimised, with its weights inside.
        target: The new file.

    Returns:
        Whether there is such a matrix. If not, nothing is written.

    Raises:
        MessageError: `source` is no whole graph.
        OSError: A file can't be read or written.
    """
    with source.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        model = Message(data, 0, len(data))
        graph = next(model.at(7))
        matrices = _matrices(graph)
        if not matrices:
            return False
        parts = list(_rewritten(graph, matrices))
        with target.open("wb") as out:
            for number, value in model.fields():
                for part in [] if number == 7 else _field(number, value):
                    out.write(_bytes(part))
            out.write(part_field(7, sum(map(len, parts))))
            for part in parts:
                out.write(_bytes(part))
    return True


def pack(matrix: Floats) -> tuple[npt.NDArray[np.uint8], Floats]:
    """A matrix ``[rows, columns]`` as ``MatMulNBits`` takes it.

    Returns:
        The numbers (``[columns, blocks, BLOCK]``, 128 means 0) and the scales (``[columns, blocks]``).
    """
    rows, columns = matrix.shape
    blocks = -(-rows // BLOCK)
    values = np.zeros((columns, blocks * BLOCK), np.float32)
    values[:, :rows] = matrix.T
    values = values.reshape(columns, blocks, BLOCK)
    largest = np.abs(values).max(axis=2)
    of_column = np.broadcast_to(largest.max(axis=1, keepdims=True), largest.shape)
    # Weights that were rounded column by column are whole multiples of the column's scale: nothing is lost.
    steps = values * _inverse(of_column)[..., None]
    off = np.abs(steps - np.rint(steps)).max(axis=2).max(axis=1, keepdims=True)
    largest = np.where(off < _WHOLE, of_column, largest)
    numbers = np.rint(values * _inverse(largest)[..., None]) + _ZERO
    return numbers.astype(np.uint8), (largest / _LARGEST).astype(np.float32)


def _inverse(largest: Floats) -> Floats:
    return np.divide(_LARGEST, largest, out=np.zeros(largest.shape, np.float32), where=largest > 0)


def _matrices(graph: Message) -> dict[str, _Matrix]:
    """The large constant matrices that something is multiplied by, by their names."""
    factors = {name for node in graph.at(1) if (name := _factor(node))}
    fed = {value.text(1) for value in graph.at(11)}
    tensors = ((tensor.text(8), tensor) for tensor in graph.at(5))
    found = {name: _matrix(tensor) for name, tensor in tensors if name in factors - fed}
    return {name: matrix for name, matrix in found.items() if matrix is not None}


def _factor(node: Message) -> str:
    """What a plain product has on its right; ``""`` for other operators."""
    if node.text(4) != "MatMul" or node.text(7) not in ("", "ai.onnx"):
        return ""
    return [part.as_text() for part in node.at(1)][1]


def _matrix(tensor: Message) -> _Matrix | None:
    """A tensor that is a large matrix of floats."""
    dimensions: list[int] = []
    for number, value in tensor.fields():
        if number == 1:
            dimensions += [value] if isinstance(value, int) else value.varints()
    data = next(tensor.at(9), None)
    if len(dimensions) != 2 or tensor.number(2) != _FLOAT or data is None:
        return None
    rows, columns = dimensions
    if rows * columns < LEAST_NUMBERS or len(data) != 4 * rows * columns:
        return None
    return _Matrix(tensor.text(8), rows, columns, data)


def _rewritten(graph: Message, matrices: dict[str, _Matrix]) -> Iterator[Part]:
    """The fields of a graph in which the products with these matrices have 8 bits."""
    uses = Counter(_names_used(graph))
    products = Counter(map(_factor, graph.at(1)))
    for number, value in graph.fields():
        if number == 1 and isinstance(value, Message) and (name := _factor(value)) in matrices:
            yield from _field(1, _product(value, matrices[name]))
        elif number == 5 and isinstance(value, Message) and (name := value.text(8)) in matrices:
            numbers, scales = pack(matrices[name].values())
            yield from _field(5, _tensor(f"{name}{_NUMBERS}", _UINT8, numbers))
            yield from _field(5, _tensor(f"{name}{_SCALES}", _FLOAT, scales))
            if uses[name] > products[name]:
                yield from _field(5, value)
        else:
            yield from _field(number, value)


def _names_used(graph: Message) -> Iterator[str]:
    """The names of what operators take, those in branches included, and of what the graph gives."""
    for node in graph.at(1):
        yield from (part.as_text() for part in node.at(1))
        for branch in (*node.at(5, 6), *node.at(5, 11)):
            yield from _names_used(branch)
    yield from (value.text(1) for value in graph.at(12))


def _product(node: Message, matrix: _Matrix) -> bytes:
    """The operator in place of a ``MatMul``."""
    left = next(part.as_text() for part in node.at(1))
    inputs = (left, f"{matrix.name}{_NUMBERS}", f"{matrix.name}{_SCALES}")
    attributes = {
        "K": matrix.rows,
        "N": matrix.columns,
        "bits": 8,
        "block_size": BLOCK,
        "accuracy_level": _INTEGERS,
    }
    fields = [_text(1, name) for name in inputs]
    fields += [_text(2, node.text(2)), _text(4, "MatMulNBits"), _text(7, "com.microsoft")]
    for name, value in attributes.items():  # AttributeProto: name, i, type INT
        attribute = _text(1, name) + number_field(3, value) + number_field(20, 2)
        fields.append(part_field(5, len(attribute)) + attribute)
    return b"".join(fields)


def _tensor(name: str, kind: int, values: npt.NDArray[Any]) -> bytes:
    data = values.tobytes()
    head = b"".join(number_field(1, size) for size in values.shape)
    return head + number_field(2, kind) + _text(8, name) + part_field(9, len(data)) + data


def _text(number: int, text: str) -> bytes:
    content = text.encode()
    return part_field(number, len(content)) + content


def _field(number: int, value: "int | Part") -> Iterator[Part]:
    if isinstance(value, int):
        yield number_field(number, value)
    else:
        yield part_field(number, len(value))
        yield value


def _bytes(part: Part) -> bytes:
    return part if isinstance(part, bytes) else part.content()

"""Whether a file keeps the matrices of its products in 8 bits: its maker found that they do.

The numbers of fields are those of onnx.proto, as in `jan_host_onnx.graph`.
"""

import mmap
from pathlib import Path
from typing import Final

from jan_host_onnx.protobuf import Message

_BYTES: Final = (2, 3)
"""``TensorProto.DataType``: uint8 and int8."""
_TO_FLOATS: Final = frozenset({"Cast", "DequantizeLinear", "Mul", "Sub", "Add", "Transpose"})
"""By what numbers of 8 bits become floats: times a scale, less what means 0."""
_PRODUCTS: Final = frozenset({"MatMul", "Gemm"})
_ROUNDS: Final = frozenset(
    {
        "QuantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearMatMul",
        "DynamicQuantizeMatMul",
        "MatMulIntegerToFloat",
        "MatMulNBits",
    }
)
"""Operators of files that say themselves where integers are computed with."""


def keeps_matrices_in_8_bits(path: Path) -> bool:
    """Whether the graph at `path` makes floats of matrices of 8 bits, and only multiplies by these then.

    Raises:
        MessageError: It is no whole graph.
        OSError: It can't be read.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        graph = next(Message(data, 0, len(data)).at(7))
        rounded = {tensor.text(8) for tensor in graph.at(5) if _is_matrix_of_bytes(tensor)}
        multiplied = False
        for node in graph.at(1):  # in the order of computation
            operator = node.text(4)
            if operator in _ROUNDS:
                return False
            inputs = [part.as_text() for part in node.at(1)]
            if operator in _TO_FLOATS and not rounded.isdisjoint(inputs):
                rounded.add(node.text(2))
            multiplied = multiplied or (operator in _PRODUCTS and inputs[1] in rounded)
        return multiplied


def _is_matrix_of_bytes(tensor: Message) -> bool:
    dimensions = 0
    for number, value in tensor.fields():
        if number == 1:
            dimensions += 1 if isinstance(value, int) else len(value.varints())
    return dimensions == 2 and tensor.number(2) in _BYTES

"""Writes one ONNX graph: nodes in order, initializers beside them, names given out here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}


class GraphWriter:
    """A graph under construction.

    Args:
        dtype: The number format of weights and activations: ``float32`` or ``float16``.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        """An input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: Sequence[int | str]) -> None:
        """An output of the graph."""
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def weight(self, name: str, value: npt.NDArray[Any]) -> str:
        """An initializer in the graph's number format."""
        return self.constant(value.astype(self.dtype), name)

    def constant(self, value: npt.NDArray[Any], name: str = "") -> str:
        """An initializer as it is."""
        name = name or self._name("constant")
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def ints(self, *values: int) -> str:
        """A list of int64."""
        return self.constant(np.array(values, np.int64))

    def add(
        self, op: str, *inputs: str, to: str = "", to_type: int = 0, domain: str = "", **attributes: Any
    ) -> str:
        """A node with one output, whose name is returned.

        Args:
            op: The operator.
            inputs: Names.
            to: The output's name; ``""`` for any.
            to_type: The attribute ``to`` of a Cast.
            domain: Of the operator.
            attributes: Its other attributes.
        """
        attributes |= {"to": to_type} if to_type else {}
        return self.add_many(op, inputs, [to or self._name(op)], domain=domain, **attributes)[0]

    def add_many(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], *, domain: str = "", **attributes: Any
    ) -> Sequence[str]:
        """A node with several outputs."""
        name = self._name(op)
        self._nodes.append(
            helper.make_node(op, list(inputs), list(outputs), name=name, domain=domain, **attributes)
        )
        return outputs

    def save(self, path: Path) -> None:
        """Write the model, its weights in a file ``PATH_data`` beside it, as hubs do."""
        graph = helper.make_graph(self._nodes, "main_graph", self._inputs, self._outputs, self._initializers)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="jan-host tests")
        data = path.with_name(path.name + "_data")
        data.unlink(missing_ok=True)
        onnx.save_model(model, path, save_as_external_data=True, location=data.name, size_threshold=1024)

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"

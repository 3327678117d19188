"""BERT-like encoders as ONNX graphs, from a checkpoint's weights or from random ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from tests.plugins.onnx.decoder.writer import GraphWriter

Weights = Mapping[str, npt.NDArray[np.float32]]
Head = Literal["last_hidden_state", "sentence_embedding", "pooler_output", "logits"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a BERT encoder."""

    vocabulary: int
    hidden: int = 32
    layers: int = 2
    heads: int = 4
    positions: int = 512

    @property
    def head(self) -> int:
        return self.hidden // self.heads

    def config(self, **others: Any) -> dict[str, Any]:
        """The model's config.json."""
        return {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "max_position_embeddings": self.positions,
            "type_vocab_size": 2,
            "pad_token_id": 0,
            **others,
        }


MINILM = Shape(vocabulary=30522, hidden=384, layers=6, heads=12, positions=512)


def random_weights(shape: Shape, seed: int = 7, classes: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Weights of a model that says nothing sensible, and always the same."""
    random = np.random.default_rng(seed)

    def normal(*size: int) -> npt.NDArray[np.float32]:
        return (random.standard_normal(size) * 0.3).astype(np.float32)

    hidden = shape.hidden
    found = {
        "embeddings.word_embeddings.weight": normal(shape.vocabulary, hidden),
        "embeddings.position_embeddings.weight": normal(shape.positions, hidden),
        "embeddings.token_type_embeddings.weight": normal(2, hidden),
        **_norm("embeddings.LayerNorm", hidden),
    }
    for layer in range(shape.layers):
        base = f"encoder.layer.{layer}."
        sizes = {
            "attention.self.query": (hidden, hidden),
            "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden),
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (4 * hidden, hidden),
            "output.dense": (hidden, 4 * hidden),
        }
        for name, size in sizes.items():
            found[f"{base}{name}.weight"] = normal(*size)
            found[f"{base}{name}.bias"] = normal(size[0])
        found |= _norm(f"{base}attention.output.LayerNorm", hidden) | _norm(f"{base}output.LayerNorm", hidden)
    found |= {"pooler.dense.weight": normal(hidden, hidden), "pooler.dense.bias": normal(hidden)}
    if classes:
        found |= {"classifier.weight": normal(classes, hidden), "classifier.bias": normal(classes)}
    return found


def _norm(name: str, size: int) -> dict[str, npt.NDArray[np.float32]]:
    return {f"{name}.weight": np.ones(size, np.float32), f"{name}.bias": np.zeros(size, np.float32)}


def write_bert(
    path: Path,
    shape: Shape,
    weights: Weights,
    *,
    head: Head = "last_hidden_state",
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
    external: bool = False,
    extra_outputs: Sequence[str] = (),
) -> Path:
    """Write the graph that an exporter would make of a BERT model.

    Args:
        path: Where.
        shape: Its sizes.
        weights: Named as in a BERT checkpoint.
        head: What it gives.
        inputs: What it takes; without token_type_ids all tokens are of type 0.
        external: Keep the weights in a file beside it.
        extra_outputs: More of what it could give.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = GraphWriter("float32")
    for name in inputs:
        graph.input(name, TensorProto.INT64, ["batch", "sequence"])
    named = {
        name: graph.weight(name, value.T if _is_dense(name) else value)  # exporters write them turned
        for name, value in weights.items()
        if value.dtype == np.float32
    }
    classes = len(weights.get("classifier.bias", ()))
    writer = _Writer(graph, shape, named, inputs, classes)
    hidden = writer.encode()
    for output in dict.fromkeys([*extra_outputs, head]):
        writer.give(output, hidden)
    graph.save(path)
    if not external:
        model = onnx.load(path)
        path.with_name(path.name + "_data").unlink()
        onnx.save(model, path)
    return path


def _is_dense(name: str) -> bool:
    return name.endswith(".weight") and "embeddings" not in name and "LayerNorm" not in name


class _Writer:
    """Writes the parts of one encoder. `named` are the weights' names in the graph."""

    def __init__(
        self, graph: GraphWriter, shape: Shape, named: Mapping[str, str], inputs: Sequence[str], classes: int
    ) -> None:
        self.graph = graph
        self.shape = shape
        self.named = named
        self.inputs = inputs
        self.classes = classes

    def encode(self) -> str:
        hidden = self._embed()
        self.mask = self.graph.add_many("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT)[0]
        unseen = self.graph.add("Sub", self._number(1.0), self.mask)
        bias = self.graph.add("Mul", unseen, self._number(-10000.0))
        bias = self.graph.add("Unsqueeze", bias, self.graph.ints(1, 2))
        for layer in range(self.shape.layers):
            hidden = self._layer(f"encoder.layer.{layer}.", hidden, bias)
        return hidden

    def give(self, output: str, hidden: str) -> None:
        """One of the outputs that exporters give."""
        size = self.shape.hidden
        if output in ("last_hidden_state", "token_embeddings"):
            self.graph.add("Identity", hidden, to=output)
            self.graph.output(output, TensorProto.FLOAT, ["batch", "sequence", size])
            return
        if output == "sentence_embedding":
            self.graph.add("Identity", self._mean(hidden), to=output)
        else:
            first = self.graph.add("Gather", hidden, self._scalar(0), axis=1)
            pooled = self.graph.add("Tanh", self._dense("pooler.dense", first))
            if output == "logits":
                pooled = self._dense("classifier", pooled)
                size = self.classes
            self.graph.add("Identity", pooled, to=output)
        self.graph.output(output, TensorProto.FLOAT, ["batch", size])

    def _mean(self, hidden: str) -> str:
        mask = self.graph.add("Unsqueeze", self.mask, self.graph.ints(2))
        total = self.graph.add(
            "ReduceSum", self.graph.add("Mul", hidden, mask), self.graph.ints(1), keepdims=0
        )
        return self.graph.add("Div", total, self.graph.add("ReduceSum", mask, self.graph.ints(1), keepdims=0))

    def _embed(self) -> str:
        graph = self.graph
        words = graph.add("Gather", self.named["embeddings.word_embeddings.weight"], "input_ids")
        if "position_ids" in self.inputs:
            where = "position_ids"
        else:
            shape = graph.add("Shape", "input_ids", start=1, end=2)
            length = graph.add("Squeeze", shape, graph.ints(0))
            where = graph.add("Range", self._scalar(0), length, self._scalar(1))
        places = graph.add("Gather", self.named["embeddings.position_embeddings.weight"], where)
        kinds = (
            "token_type_ids"
            if "token_type_ids" in self.inputs
            else graph.constant(np.zeros((1, 1), np.int64))
        )
        types = graph.add("Gather", self.named["embeddings.token_type_embeddings.weight"], kinds)
        total = graph.add("Add", graph.add("Add", words, places), types)
        return self._normalise("embeddings.LayerNorm", total)

    def _layer(self, base: str, hidden: str, bias: str) -> str:
        graph = self.graph
        query, key, value = (
            self._heads(self._dense(f"{base}attention.self.{name}", hidden), perm)
            for name, perm in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3)))
        )
        scores = graph.add("Mul", graph.add("MatMul", query, key), self._number(self.shape.head**-0.5))
        weights = graph.add("Softmax", graph.add("Add", scores, bias), axis=-1)
        context = graph.add("Transpose", graph.add("MatMul", weights, value), perm=[0, 2, 1, 3])
        context = graph.add("Reshape", context, graph.ints(0, 0, self.shape.hidden))
        context = self._dense(f"{base}attention.output.dense", context)
        hidden = self._normalise(f"{base}attention.output.LayerNorm", graph.add("Add", context, hidden))
        inner = self._gelu(self._dense(f"{base}intermediate.dense", hidden))
        inner = self._dense(f"{base}output.dense", inner)
        return self._normalise(f"{base}output.LayerNorm", graph.add("Add", inner, hidden))

    def _heads(self, values: str, perm: Sequence[int]) -> str:
        split = self.graph.add("Reshape", values, self.graph.ints(0, 0, self.shape.heads, self.shape.head))
        return self.graph.add("Transpose", split, perm=list(perm))

    def _dense(self, name: str, values: str) -> str:
        product = self.graph.add("MatMul", values, self.named[f"{name}.weight"])
        return self.graph.add("Add", product, self.named[f"{name}.bias"])

    def _normalise(self, name: str, values: str) -> str:
        weight, bias = self.named[f"{name}.weight"], self.named[f"{name}.bias"]
        return self.graph.add("LayerNormalization", values, weight, bias, axis=-1, epsilon=1e-12)

    def _gelu(self, values: str) -> str:
        graph = self.graph
        error = graph.add("Erf", graph.add("Mul", values, self._number(2**-0.5)))
        half = graph.add("Mul", values, self._number(0.5))
        return graph.add("Mul", half, graph.add("Add", error, self._number(1.0)))

    def _scalar(self, value: int) -> str:
        return self.graph.add("Squeeze", self.graph.ints(value))

    def _number(self, value: float) -> str:
        return self.graph.constant(np.array(value, np.float32))

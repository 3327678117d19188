"""SmolLM2 as an ONNX decoder graph, in the layouts that exporters give it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from onnx import TensorProto

from tests.plugins.onnx.decoder.nbits import packed
from tests.plugins.onnx.decoder.weights import Array, Shape, Tensors
from tests.plugins.onnx.decoder.writer import TYPES, GraphWriter


@dataclass(frozen=True)
class Variant:
    """How a graph is written."""

    attention: Literal["plain", "gqa"] = "plain"
    """``plain``: primitive operators, as optimum exports. ``gqa``: GroupQueryAttention, as hubs publish."""
    dtype: Literal["float32", "float16"] = "float32"
    bits: Literal[4, 32] = 32
    """4: MatMulNBits in blocks of 32."""
    positions: bool = True
    """Whether ``position_ids`` is an input; otherwise positions are counted from the mask."""
    mask: bool = True
    """Whether ``attention_mask`` is an input; without it no position is left out."""
    integers: Literal["int64", "int32"] = "int64"
    """The number format of ids, mask and positions."""
    cache: Literal["same", "bfloat16"] = "same"
    """The number format of the KV cache: that of the activations, or of fewer bits."""
    keep: str = ""
    """The name of an input that says for how many of the last tokens scores are wanted, if there is one."""


class DecoderGraph:
    """Builds the graph of one variant."""

    def __init__(self, weights: Tensors, variant: Variant) -> None:
        self._weights = weights
        self._shape: Shape = weights.shape
        self._variant = variant
        self._graph = GraphWriter(variant.dtype)

    def save(self, path: Path) -> None:
        """Build the graph and write it to `path`."""
        g, shape, kind = self._graph, self._shape, TYPES[self._variant.dtype]
        ids = self._integers("input_ids", "sequence_length")
        if self._variant.mask:
            self._mask = self._integers("attention_mask", "total_sequence_length")
        if self._variant.positions:
            self._given = self._integers("position_ids", "sequence_length")
        g.output("logits", kind, ["batch_size", "sequence_length", shape.vocabulary])
        kind = TensorProto.BFLOAT16 if self._variant.cache == "bfloat16" else kind
        for layer in range(shape.layers):
            for part in ("key", "value"):
                sizes: list[int | str] = [
                    "batch_size",
                    shape.kv_heads,
                    "past_sequence_length",
                    shape.head_dim,
                ]
                g.input(f"past_key_values.{layer}.{part}", kind, sizes)
                sizes = ["batch_size", shape.kv_heads, "total_sequence_length", shape.head_dim]
                g.output(f"present.{layer}.{part}", kind, sizes)
        self._prepare(ids)
        table = g.weight("model.embed_tokens.weight", self._weights.get("token_embd.weight"))
        hidden = g.add("Gather", table, ids)
        for layer in range(shape.layers):
            hidden = self._layer(layer, hidden)
        hidden = self._kept(self._norm("output_norm.weight", hidden))
        if self._variant.bits == 32:
            g.add("MatMul", hidden, g.add("Transpose", table, perm=[1, 0]), to="logits")
        else:
            self._matmul(hidden, "lm_head", self._weights.get("token_embd.weight"), to="logits")
        g.save(path)

    def _integers(self, name: str, size: str) -> str:
        """An input of whole numbers, ``[batch, size]``, as int64."""
        kind = TensorProto.INT64 if self._variant.integers == "int64" else TensorProto.INT32
        given = self._graph.input(name, kind, ["batch_size", size])
        if self._variant.integers == "int64":
            return given
        return self._graph.add("Cast", given, to_type=TensorProto.INT64)

    def _kept(self, hidden: str) -> str:
        """The states for which scores are wanted."""
        if not self._variant.keep:
            return hidden
        g = self._graph
        count = g.input(self._variant.keep, TensorProto.INT64, [])
        start = g.add("Unsqueeze", g.add("Neg", count), g.ints(0))
        return g.add("Slice", hidden, start, g.ints(2**31 - 1), g.ints(1))

    def _layer(self, layer: int, hidden: str) -> str:
        g, w, shape = self._graph, self._weights, self._shape
        prefix = f"blk.{layer}."
        normed = self._norm(prefix + "attn_norm.weight", hidden)
        query = self._matmul(normed, prefix + "q", w.rotated(prefix + "attn_q.weight", shape.heads))
        key = self._matmul(normed, prefix + "k", w.rotated(prefix + "attn_k.weight", shape.kv_heads))
        value = self._matmul(normed, prefix + "v", w.get(prefix + "attn_v.weight"))
        attend = self._attend if self._variant.attention == "plain" else self._group_query
        attended = attend(layer, query, key, value)
        hidden = g.add(
            "Add", hidden, self._matmul(attended, prefix + "o", w.get(prefix + "attn_output.weight"))
        )
        normed = self._norm(prefix + "ffn_norm.weight", hidden)
        gate = self._matmul(normed, prefix + "gate", w.get(prefix + "ffn_gate.weight"))
        up = self._matmul(normed, prefix + "up", w.get(prefix + "ffn_up.weight"))
        inner = g.add("Mul", g.add("Mul", gate, g.add("Sigmoid", gate)), up)
        return g.add("Add", hidden, self._matmul(inner, prefix + "down", w.get(prefix + "ffn_down.weight")))

    def _norm(self, name: str, hidden: str) -> str:
        weight = self._graph.weight(name, self._weights.get(name))
        epsilon = self._shape.epsilon
        return self._graph.add(
            "SimplifiedLayerNormalization", hidden, weight, axis=-1, epsilon=epsilon, stash_type=1
        )

    def _matmul(self, hidden: str, name: str, matrix: Array, to: str = "") -> str:
        g = self._graph
        if self._variant.bits == 32:
            return g.add("MatMul", hidden, g.weight(name, matrix.T), to=to)
        blocks, scales, zeros = packed(matrix)
        rows, columns = matrix.shape
        inputs = (g.constant(blocks, name), g.weight(name + ".scales", scales), g.constant(zeros))
        return g.add(
            "MatMulNBits",
            hidden,
            *inputs,
            to=to,
            domain="com.microsoft",
            K=columns,
            N=rows,
            bits=4,
            block_size=32,
            accuracy_level=4,
        )

    def _prepare(self, ids: str) -> None:
        """What all layers share: how long everything is, the rotation, and who sees whom."""
        g = self._graph
        self._size = g.add("Gather", g.add("Shape", ids), g.ints(1))
        past = g.add("Gather", g.add("Shape", "past_key_values.0.key"), g.ints(2))
        if self._variant.attention == "gqa":
            self._prepare_group_query()
            return
        self._total = g.add("Add", past, self._size)
        none, one = g.constant(np.array(0, np.int64)), g.constant(np.array(1, np.int64))
        columns = g.add("Range", none, g.add("Squeeze", self._total), one)
        rows = g.add("Range", g.add("Squeeze", past), g.add("Squeeze", self._total), one)
        seen = g.add("LessOrEqual", columns, g.add("Unsqueeze", rows, g.ints(1)))
        if self._variant.mask:
            seen = g.add("And", seen, self._bool_mask())
        else:
            seen = g.add("Unsqueeze", seen, g.ints(0, 1))
        lowest = np.array(np.finfo(self._variant.dtype).min, self._variant.dtype)
        self._bias = g.add("Where", seen, g.constant(np.zeros((), self._variant.dtype)), g.constant(lowest))
        self._prepare_rotation(self._positions(rows))

    def _bool_mask(self) -> str:
        g = self._graph
        return g.add(
            "Unsqueeze", g.add("Greater", self._mask, g.constant(np.array(0, np.int64))), g.ints(1, 2)
        )

    def _positions(self, rows: str) -> str:
        g = self._graph
        if self._variant.positions:
            return self._given
        return g.add("Unsqueeze", rows, g.ints(0))

    def _prepare_rotation(self, positions: str) -> None:
        g = self._graph
        numbers = g.add("Unsqueeze", positions, g.ints(2))
        angles = g.add("Mul", g.add("Cast", numbers, to_type=TensorProto.FLOAT), self._frequencies())
        both = g.add("Unsqueeze", g.add("Concat", angles, angles, axis=-1), g.ints(1))
        kind = TYPES[self._variant.dtype]
        self._cos, self._sin = (g.add("Cast", g.add(op, both), to_type=kind) for op in ("Cos", "Sin"))

    def _frequencies(self) -> str:
        return self._graph.constant(_frequencies(self._shape))

    def _rotated(self, states: str) -> str:
        g, half = self._graph, self._shape.head_dim // 2
        low = g.add("Slice", states, g.ints(0), g.ints(half), g.ints(3))
        high = g.add("Slice", states, g.ints(half), g.ints(2 * half), g.ints(3))
        turned = g.add("Concat", g.add("Neg", high), low, axis=-1)
        return g.add("Add", g.add("Mul", states, self._cos), g.add("Mul", turned, self._sin))

    def _heads(self, states: str, heads: int) -> str:
        g = self._graph
        split = g.add("Reshape", states, g.ints(0, 0, heads, self._shape.head_dim))
        return g.add("Transpose", split, perm=[0, 2, 1, 3])

    def _attend(self, layer: int, query: str, key: str, value: str) -> str:
        g, shape = self._graph, self._shape
        group = shape.heads // shape.kv_heads
        query = self._rotated(self._heads(query, shape.heads))
        key = self._rotated(self._heads(key, shape.kv_heads))
        value = self._heads(value, shape.kv_heads)
        past = f"past_key_values.{layer}."
        key = self._joined(past + "key", key, f"present.{layer}.key")
        value = self._joined(past + "value", value, f"present.{layer}.value")
        grouped = g.add("Reshape", query, g.ints(0, shape.kv_heads, group, -1, shape.head_dim))
        turned = g.add("Unsqueeze", g.add("Transpose", key, perm=[0, 1, 3, 2]), g.ints(2))
        scale = g.constant(np.array(shape.head_dim**-0.5, self._variant.dtype))
        scores = g.add("Mul", g.add("MatMul", grouped, turned), scale)
        scores = g.add("Add", scores, g.add("Unsqueeze", self._bias, g.ints(1)))
        found = g.add("MatMul", g.add("Softmax", scores, axis=-1), g.add("Unsqueeze", value, g.ints(2)))
        merged = g.add("Reshape", found, g.ints(0, shape.heads, -1, shape.head_dim))
        return g.add("Reshape", g.add("Transpose", merged, perm=[0, 2, 1, 3]), g.ints(0, 0, shape.hidden))

    def _joined(self, past: str, new: str, present: str) -> str:
        """Old and new keys or values; what is kept may be of fewer bits."""
        g = self._graph
        if self._variant.cache == "same":
            return g.add("Concat", past, new, to=present, axis=2)
        few = g.add("Concat", past, g.add("Cast", new, to_type=TensorProto.BFLOAT16), to=present, axis=2)
        return g.add("Cast", few, to_type=TYPES[self._variant.dtype])

    def _prepare_group_query(self) -> None:
        g, shape = self._graph, self._shape
        kind = TensorProto.INT32
        lengths = g.add("Sub", g.add("ReduceSum", self._mask, g.ints(1), keepdims=0), g.ints(1))
        total = g.add("Gather", g.add("Shape", self._mask), g.constant(np.array(1, np.int64)))
        self._lengths = g.add("Cast", lengths, to_type=kind)
        self._total = g.add("Cast", total, to_type=kind)
        angles = np.outer(np.arange(shape.context, dtype=np.float32), _frequencies(shape))
        self._cos, self._sin = g.weight("cos_cache", np.cos(angles)), g.weight("sin_cache", np.sin(angles))

    def _group_query(self, layer: int, query: str, key: str, value: str) -> str:
        shape = self._shape
        past, present = f"past_key_values.{layer}.", f"present.{layer}."
        inputs = [query, key, value, past + "key", past + "value", self._lengths, self._total]
        outputs = self._graph.add_many(
            "GroupQueryAttention",
            [*inputs, self._cos, self._sin],
            [f"attended_{layer}", present + "key", present + "value"],
            domain="com.microsoft",
            num_heads=shape.heads,
            kv_num_heads=shape.kv_heads,
            do_rotary=1,
            rotary_interleaved=0,
            scale=shape.head_dim**-0.5,
        )
        return outputs[0]


def _frequencies(shape: Shape) -> Array:
    steps = np.arange(0, shape.head_dim, 2, dtype=np.float64) / shape.head_dim
    return (shape.rope_theta**-steps).astype(np.float32)

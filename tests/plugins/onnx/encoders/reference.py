"""BERT's forward pass in numpy, one text at a time: what every runtime must agree with."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tests.plugins.onnx.encoders.bert import Shape, Weights

Floats = npt.NDArray[np.float64]

_ERF = np.vectorize(math.erf)


def hidden_states(
    weights: Weights, shape: Shape, ids: Sequence[int], types: Sequence[int] | None = None
) -> Floats:
    """The vectors of a text's tokens."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    values = (
        w["embeddings.word_embeddings.weight"][list(ids)]
        + w["embeddings.position_embeddings.weight"][: len(ids)]
        + w["embeddings.token_type_embeddings.weight"][list(types or [0] * len(ids))]
    )
    values = _norm(w, "embeddings.LayerNorm", values)
    for layer in range(shape.layers):
        base = f"encoder.layer.{layer}."
        query, key, value = (
            _dense(w, f"{base}attention.self.{name}", values).reshape(len(ids), shape.heads, shape.head)
            for name in ("query", "key", "value")
        )
        scores = np.einsum("qhd,khd->hqk", query, key) / math.sqrt(shape.head)
        parts = np.exp(scores - scores.max(axis=-1, keepdims=True))
        parts /= parts.sum(axis=-1, keepdims=True)
        context = np.einsum("hqk,khd->qhd", parts, value).reshape(len(ids), shape.hidden)
        attended = _dense(w, f"{base}attention.output.dense", context) + values
        values = _norm(w, f"{base}attention.output.LayerNorm", attended)
        inner = _dense(w, f"{base}intermediate.dense", values)
        inner = inner * 0.5 * (1 + _ERF(inner / math.sqrt(2)))
        values = _norm(w, f"{base}output.LayerNorm", _dense(w, f"{base}output.dense", inner) + values)
    return np.asarray(values, np.float64)


def logits(weights: Weights, shape: Shape, ids: Sequence[int], types: Sequence[int]) -> Floats:
    """What a classifier on the first token gives."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    first = hidden_states(weights, shape, ids, types)[:1]
    return np.ravel(_dense(w, "classifier", np.tanh(_dense(w, "pooler.dense", first))))


def unit(vector: Floats) -> Floats:
    """The vector with length 1."""
    scaled: Floats = vector / np.linalg.norm(vector)
    return scaled


def cosine(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float:
    """How alike two vectors point."""
    return float(unit(np.asarray(first, np.float64)) @ unit(np.asarray(second, np.float64)))


def _dense(w: dict[str, Floats], name: str, values: Floats) -> Floats:
    result: Floats = values @ w[f"{name}.weight"].T + w[f"{name}.bias"]
    return result


def _norm(w: dict[str, Floats], name: str, values: Floats) -> Floats:
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    scaled: Floats = centred / spread * w[f"{name}.weight"] + w[f"{name}.bias"]
    return scaled

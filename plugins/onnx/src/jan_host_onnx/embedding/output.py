"""Which output of a graph holds the vectors, and what is still to be done with them."""

from dataclasses import dataclass
from typing import Final

from jan_host import ModelLoadError

from jan_host_onnx.documents import read_object
from jan_host_onnx.graph import Graph, Value
from jan_host_onnx.layouts import Layout
from jan_host_onnx.sentence import Pooling
from jan_host_onnx.settings import OnnxSettings

_OF_TEXTS: Final = ("sentence_embedding", "embeddings")
_OF_TOKENS: Final = ("last_hidden_state", "token_embeddings", "hidden_states")


@dataclass(frozen=True, slots=True)
class Output:
    """How vectors of texts come from a graph."""

    name: str
    pooling: Pooling
    normalize: bool
    fills_left: bool
    """Whether the graph itself takes the last token, which must then stand at the end."""


def find_output(layout: Layout, settings: OnnxSettings) -> Output:
    """The output that holds a model's vectors.

    The setting `pooling` decides; else a graph that pools itself is trusted; else the files tell how.

    Raises:
        ModelLoadError: The files ask for what the graph does not do and this engine can't.
    """
    sentence = layout.sentence
    normalize = _first(settings.normalize, sentence.normalize, True)
    whole = _named(layout.graph, _OF_TEXTS) if settings.pooling in (None, "none") else None
    tokens = _named(layout.graph, _OF_TOKENS)
    if whole is None and (tokens is None or settings.pooling == "none"):
        whole = _plain(layout.graph, settings.pooling)
    if whole is not None:
        side = read_object(layout.tokenizer_config).get("padding_side")
        return Output(whole.name, "none", normalize, fills_left=side == "left")
    if sentence.extra_steps:
        raise ModelLoadError(
            f"The model's modules.json names the steps {', '.join(sentence.extra_steps)} behind its graph,"
            " which are not part of it. Export it with them (an output sentence_embedding)."
        )
    value = tokens or layout.graph.outputs[0]
    return Output(value.name, settings.pooling or sentence.pooling or "mean", normalize, fills_left=False)


def _plain(graph: Graph, pooling: Pooling | None) -> Value | None:
    """An output of one vector a text whose name says nothing."""
    flat = [value for value in graph.outputs if len(value.shape) == 2]
    if pooling == "none" and not flat:
        raise ModelLoadError(
            "The setting pooling is none, and the graph gives no vector of a text, only those of tokens."
        )
    return flat[0] if flat and pooling in (None, "none") else None


def _named(graph: Graph, names: tuple[str, ...]) -> Value | None:
    return next((value for name in names for value in graph.outputs if value.name == name), None)


def _first(*values: bool | None) -> bool:
    return next(value for value in values if value is not None)

"""What a graph is for, by its inputs, its outputs and the model's config.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from jan_host import ModelBrokenError

from jan_host_onnx.graph import Graph, Value

_TEXT_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})
_VECTOR_OUTPUTS: Final = frozenset(
    {"sentence_embedding", "last_hidden_state", "token_embeddings", "pooler_output", "embeddings"}
)


def purpose_of(
    path: Path, graph: Graph, config: Mapping[str, Any]
) -> Literal["embedding", "reranker", "decoder"]:
    """What the graph is for.

    Args:
        path: Its file, for the error.
        graph: Its inputs and outputs.
        config: The model's config.json, ``{}`` when there is none.

    Raises:
        ModelBrokenError: It is no model of text, or of a kind that this engine does not run.
    """
    if graph.input("input_ids") is None:
        raise _not_ours(path, f"takes {_names(graph.inputs)}, where a model of text takes input_ids")
    if graph.input("encoder_hidden_states") is not None or graph.input("decoder_input_ids") is not None:
        raise _not_ours(path, "is half of an encoder-decoder model")
    named = config.get("architectures")
    architectures = " ".join(map(str, named)) if isinstance(named, list) else ""
    logits = graph.output("logits")
    if graph.has_cache:
        return "decoder" if logits is not None else "embedding"
    if logits is not None and ("SequenceClassification" in architectures or len(logits.shape) == 2):
        return "reranker"
    if logits is not None and "MaskedLM" not in architectures and not architectures.startswith("Bert"):
        return "decoder"
    strange = [value for value in graph.inputs if value.name not in _TEXT_INPUTS]
    if strange:
        raise _not_ours(path, f"takes {_names(strange)}, which this engine does not know")
    known = any(value.name in _VECTOR_OUTPUTS for value in graph.outputs)
    if not known and (logits is not None or len(graph.outputs[0].shape) not in (2, 3)):
        raise _not_ours(path, f"gives {_names(graph.outputs)}, where an embedding model gives vectors")
    return "embedding"


def _not_ours(path: Path, what: str) -> ModelBrokenError:
    return ModelBrokenError(
        f"{path.name} {what}. This engine runs embedding models, rerankers and decoder-only language models."
    )


def _names(values: list[Value]) -> str:
    shown = ", ".join(value.name for value in values[:5])
    return shown + (f" and {len(values) - 5} more" if len(values) > 5 else "")

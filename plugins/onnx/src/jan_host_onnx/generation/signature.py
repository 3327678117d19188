"""What a decoder graph takes and gives: names, number formats and the shapes of its KV cache."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jan_host import ModelLoadError

_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
_PAST: Final = re.compile(r"past")
_ONE: Final = frozenset({"num_logits_to_keep", "logits_to_keep"})
"""Inputs that say for how many of the last tokens scores are wanted."""
_PLAIN: Final = frozenset({"input_ids", "attention_mask", "position_ids", "use_cache_branch"}) | _ONE


@dataclass(frozen=True, slots=True)
class CacheTensor:
    """One tensor of the KV cache: ``[sequences, heads, tokens, width]``."""

    past: str
    """The graph's input."""
    present: str
    """The graph's output, which is the input of the next step."""
    dtype: str
    heads: int
    width: int

    @property
    def bytes_per_token(self) -> int:
        """Of one sequence."""
        return self.heads * self.width * (4 if self.dtype == "float32" else 2)


@dataclass(frozen=True, slots=True)
class Signature:
    """A decoder graph's inputs and outputs."""

    ids_dtype: str
    mask_dtype: str | None
    """``None`` where the graph takes no mask."""
    positions_dtype: str | None
    """``None`` where the graph counts positions itself."""
    merged: bool
    """Whether an input ``use_cache_branch`` chooses between two graphs: with a KV cache and without."""
    keep_logits: tuple[str, str, int] | None
    """The name, number format and dimensions of the input that limits the scores to the last tokens."""
    logits: str
    vocabulary: int | None
    """For how many tokens it gives scores, where the graph says."""
    cache: tuple[CacheTensor, ...]

    @property
    def bytes_per_token(self) -> int:
        """Of the KV cache of one sequence."""
        return sum(tensor.bytes_per_token for tensor in self.cache)


def read_signature(session: Any, name: str) -> Signature:
    """The signature of the graph that `session` holds.

    Args:
        session: An ``onnxruntime.InferenceSession``.
        name: The graph's file name, for errors.

    Raises:
        ModelLoadError: It is no decoder that this engine can run; says why.
    """
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    cache = tuple(_cache_tensor(node, outputs, name) for node in inputs.values() if _PAST.match(node.name))
    if not cache:
        raise ModelLoadError(
            f"{name} keeps no KV cache, so that every token would compute the whole text anew. Export it with"
            " past_key_values (optimum: --task text-generation-with-past)."
        )
    unknown = sorted(set(inputs) - _PLAIN - {tensor.past for tensor in cache})
    if "input_ids" not in inputs or unknown:
        what = f"asks for {', '.join(unknown[:4])}" if unknown else "takes no input_ids"
        raise ModelLoadError(
            f"{name} {what}: it is no decoder-only model of text in a layout that this engine knows."
        )
    logits = _logits(outputs, {tensor.present for tensor in cache}, name)
    keep = next((key for key in inputs if key in _ONE), None)
    width = logits.shape[-1]
    return Signature(
        ids_dtype=_type(inputs["input_ids"], name),
        mask_dtype=_type(inputs["attention_mask"], name) if "attention_mask" in inputs else None,
        positions_dtype=_type(inputs["position_ids"], name) if "position_ids" in inputs else None,
        merged="use_cache_branch" in inputs,
        keep_logits=(keep, _type(inputs[keep], name), len(inputs[keep].shape)) if keep else None,
        logits=logits.name,
        vocabulary=width if isinstance(width, int) else None,
        cache=cache,
    )


def _cache_tensor(node: Any, outputs: dict[str, Any], name: str) -> CacheTensor:
    tried = (node.name.replace("past_key_values", "present"), node.name.replace("past", "present", 1))
    present = next((each for each in tried if each in outputs), None)
    if present is None:
        raise ModelLoadError(f"{name} takes {node.name} and does not give it back as {tried[0]}.")
    if len(node.shape) != 4 or not isinstance(node.shape[1], int) or not isinstance(node.shape[3], int):
        shape = _shown(node.shape)
        raise ModelLoadError(
            f"{name} keeps {node.name} in the shape {shape}; this engine knows [batch, heads, tokens, width]"
            " with numbers for heads and width. Export the model anew with a current optimum."
        )
    return CacheTensor(node.name, present, _type(node, name), node.shape[1], node.shape[3])


def _logits(outputs: dict[str, Any], presents: set[str], name: str) -> Any:
    others = [node for key, node in outputs.items() if key not in presents]
    found = outputs.get("logits") or next((node for node in others if len(node.shape) == 3), None)
    if found is None:
        raise ModelLoadError(f"{name} gives no logits, so that no token can be chosen.")
    if _type(found, name) not in ("float32", "float16"):
        raise ModelLoadError(
            f"{name} gives logits as {found.type}. Export it with float32 or float16 logits."
        )
    return found


def _type(node: Any, name: str) -> str:
    known = _TYPES.get(node.type)
    if known is None:
        raise ModelLoadError(
            f"{name} has {node.name} in the format {node.type}, which this engine can't fill."
        )
    return known


def _shown(shape: Sequence[Any]) -> str:
    return "[" + ", ".join(str(size) for size in shape) + "]"

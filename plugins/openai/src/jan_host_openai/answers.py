"""What upstreams answer, in OpenAI's shapes, read leniently.

Chunks of streams are read as plain dicts: that is as quick as Structs are, and shows what nobody named.
"""

from typing import Any

import msgspec
from jan_host import CompletionTokensDetails, PromptTokensDetails, UpstreamError, Usage
from msgspec import UNSET

Fields = dict[str, Any]

_USAGE = frozenset(
    {
        "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details",
        "completion_tokens_details",
    }
)  # fmt: skip
_VECTORS = frozenset({"object", "model", "data", "usage"})
_RANKS = frozenset({"object", "model", "results", "usage"})


class Vector(msgspec.Struct):
    """One embedding."""

    embedding: list[float]
    index: int | None = None


class Vectors(msgspec.Struct):
    """An answer to a request for embeddings."""

    data: list[Vector]
    usage: Any = None


class Rank(msgspec.Struct, gc=False):
    """A document's score."""

    index: int
    relevance_score: float


class Ranks(msgspec.Struct):
    """An answer to a rerank."""

    results: list[Rank]
    usage: Any = None


decode_vectors = msgspec.json.Decoder(Vectors).decode
decode_ranks = msgspec.json.Decoder(Ranks).decode
_decode = msgspec.json.Decoder().decode
_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_answer(data: bytes) -> Fields:
    """An answer to a chat or a completion, or a chunk of one.

    Raises:
        msgspec.DecodeError: It is no JSON.
        UpstreamError: It is no object.
    """
    return as_object(_decode(data), "answer")


def as_object(value: Any, name: str) -> Fields:
    """The value, which must be an object.

    Raises:
        UpstreamError: It is none.
    """
    if not isinstance(value, dict):
        raise UpstreamError(f"The upstream's answer can't be read: {name} is no object.")
    return value


def as_list(value: Any, name: str) -> list[Any]:
    """The value, which must be a list, or nothing.

    Raises:
        UpstreamError: It is neither.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise UpstreamError(f"The upstream's answer can't be read: {name} is no list.")
    return value


def beyond(fields: Fields, known: frozenset[str]) -> Fields:
    """The fields that are not known."""
    if known.issuperset(fields):
        return {}
    return {name: value for name, value in fields.items() if name not in known}


def vectors_extra(data: bytes) -> Fields:
    """What stands beside the vectors."""
    return _decoded_beyond(data, _VECTORS)


def ranks_extra(data: bytes) -> Fields:
    """What stands beside the scores."""
    return _decoded_beyond(data, _RANKS)


def _decoded_beyond(data: bytes, known: frozenset[str]) -> Fields:
    found = beyond(_decode_raw(data), known)
    return {name: _decode(value) for name, value in found.items()}


def usage_of(found: Any) -> Usage:
    """Counts as the contract has them; any may be missing."""
    if not isinstance(found, dict):
        return Usage()
    prompt, completion = _count(found, "prompt_tokens"), _count(found, "completion_tokens")
    read, spent = found.get("prompt_tokens_details"), found.get("completion_tokens_details")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=_count(found, "total_tokens") or prompt + completion,
        prompt_tokens_details=_details(PromptTokensDetails, "cached_tokens", read),
        completion_tokens_details=_details(CompletionTokensDetails, "reasoning_tokens", spent),
        extra=beyond(found, _USAGE) or UNSET,
    )


def _details(kind: Any, name: str, found: Any) -> Any:
    if not isinstance(found, dict):
        return None
    return kind(**{name: _count(found, name)}, extra=beyond(found, frozenset({name})) or UNSET)


def _count(found: Fields, name: str) -> int:
    value = found.get(name)
    return int(value) if isinstance(value, int | float) and value > 0 else 0

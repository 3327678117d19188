"""An upstream's vectors and scores, and what nobody named beside each of them."""

from typing import Any, Generic, TypeVar

import msgspec
from jan_host import EmbeddingResult, RerankResult, UpstreamError
from msgspec import UNSET

from jan_host_openai.answers import Fields, as_list, as_object, beyond, usage_of


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    """One embedding."""

    embedding: list[float]
    index: int | None = None
    object: Any = None


class Rank(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A document's score."""

    index: int
    relevance_score: float
    document: Any = None
    """The host tells the documents itself."""


class Vectors(msgspec.Struct):
    """An answer to a request for embeddings."""

    items: list[Vector] = msgspec.field(name="data")
    usage: Any = None


class Ranks(msgspec.Struct):
    """An answer to a rerank."""

    items: list[Rank] = msgspec.field(name="results")
    usage: Any = None


ItemT = TypeVar("ItemT", Vector, Rank)

_decode_any = msgspec.json.Decoder().decode
_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Reader(Generic[ItemT]):
    """Reads one kind of answer.

    Args:
        answer: The type of the whole.
        item: The type of what it lists.
        name: Where the list is.
    """

    def __init__(self, answer: type[msgspec.Struct], item: type[ItemT], name: str) -> None:
        self._decode = msgspec.json.Decoder(answer).decode
        self._items: Any = list[item]  # type: ignore[valid-type]  # a type by its value
        self._name = name
        self._known = frozenset(item.__struct_fields__)
        self._around = frozenset({"object", "model", "usage", name})

    def read(self, data: bytes) -> tuple[list[ItemT], list[Fields] | None, Any, Fields]:
        """The items, what stands beside each of them (where there is such), the usage, what stands around.

        Raises:
            msgspec.DecodeError: They can't be read.
        """
        around = {name: _decode_any(value) for name, value in beyond(_decode_raw(data), self._around).items()}
        try:
            found: Any = self._decode(data)
        except msgspec.ValidationError:
            # Each item is looked at by itself only now: nearly no server says anything beside one.
            return self._read_apart(as_object(_decode_any(data), "answer"), around)
        return found.items, None, found.usage, around

    def _read_apart(
        self, answer: Fields, around: Fields
    ) -> tuple[list[ItemT], list[Fields] | None, Any, Fields]:
        listed = [as_object(each, "an item") for each in as_list(answer.get(self._name), self._name)]
        beside = [beyond(each, self._known) for each in listed]
        plain = [{name: each[name] for name in each.keys() & self._known} for each in listed]
        return msgspec.convert(plain, self._items), beside, answer.get("usage"), around


_vectors = Reader(Vectors, Vector, "data")
_ranks = Reader(Ranks, Rank, "results")


def read_vectors(data: bytes) -> EmbeddingResult:
    """The answer to a request for embeddings.

    Raises:
        msgspec.DecodeError: It can't be read.
        UpstreamError: Likewise.
    """
    vectors, beside, usage, around = _vectors.read(data)
    order = sorted(range(len(vectors)), key=lambda place: vectors[place].index or 0)
    return EmbeddingResult(
        embeddings=[vectors[place].embedding for place in order],
        usage=usage_of(usage),
        extras=[beside[place] for place in order] if beside else UNSET,
        extra=around or UNSET,
    )


def read_ranks(data: bytes, documents: int, upstream: str) -> RerankResult:
    """The answer to a rerank.

    Args:
        data: The answer.
        documents: How many there are.
        upstream: The server's address, for the error.

    Raises:
        msgspec.DecodeError: It can't be read.
        UpstreamError: Likewise, or there is not one score for each document.
    """
    ranks, beside, usage, around = _ranks.read(data)
    places = {rank.index: place for place, rank in enumerate(ranks)}
    if sorted(places) != [*range(documents)]:
        raise UpstreamError(f"The upstream {upstream} did not score every document. Try again.")
    order = [places[index] for index in range(documents)]
    return RerankResult(
        scores=[ranks[place].relevance_score for place in order],
        usage=usage_of(usage),
        extras=[beside[place] for place in order] if beside else UNSET,
        extra=around or UNSET,
    )

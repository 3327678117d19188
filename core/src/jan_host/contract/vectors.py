"""Embeddings and rerank: requests and results."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jan_host.contract.completion import Prompts
from jan_host.contract.generation import Usage
from jan_host.contract.unknown import KEPT, Open


class EmbeddingRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body of ``POST /v1/embeddings``."""

    input: Prompts
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    user: str | None = None
    truncate: bool | None = None
    """Cut inputs that are too long instead of refusing them."""
    extra: dict[str, Any] = msgspec.field(name=KEPT, default_factory=dict)


class EmbeddingResult(Open, kw_only=True):
    """One vector for each input, in the inputs' order; `extra` goes beside them in the answer."""

    embeddings: list[list[float]]
    usage: Usage
    extras: list[dict[str, Any]] | UnsetType = UNSET
    """What a remote engine's upstream says beside each vector."""


class RerankRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body of ``POST /v1/rerank``: Jina's and Cohere's form."""

    query: str
    documents: Annotated[list[str | dict[str, str]], Meta(min_length=1)]
    model: str | None = None
    top_n: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    return_documents: bool | None = None
    truncate: bool | None = None
    """Cut a query with a document that are too long together, instead of refusing them."""
    extra: dict[str, Any] = msgspec.field(name=KEPT, default_factory=dict)


class RerankResult(Open, kw_only=True):
    """A relevance score for each document, in the documents' order, higher is better; `extra` as above."""

    scores: list[float]
    usage: Usage
    extras: list[dict[str, Any]] | UnsetType = UNSET
    """What a remote engine's upstream says beside each score."""

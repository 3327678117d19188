"""``POST /v1/embeddings`` and ``POST /v1/rerank``."""

import base64
import struct
from typing import Any, Literal

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import ASGIApp
from msgspec import UNSET, UnsetType

from jan_host.api.answers import model_name, plain_id
from jan_host.api.operation import operation
from jan_host.api.replies import JsonStruct
from jan_host.contract.completion import split_prompts
from jan_host.contract.errors import EngineError
from jan_host.contract.generation import Usage
from jan_host.contract.unknown import Open
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult, RerankRequest, RerankResult
from jan_host.host import JanHost


class Embedding(Open, kw_only=True):
    """The vector of one input."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """Numbers, or base64 of little-endian 32-bit floats when the request asked for it."""


class EmbeddingUsage(Open, kw_only=True):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Open, kw_only=True):
    """The answer to ``POST /v1/embeddings``."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class RankedDocument(Open, kw_only=True):
    """A document's place."""

    index: int
    """The document's place in the request."""
    relevance_score: float
    document: dict[str, Any] | UnsetType = UNSET


class RerankResponse(Open, kw_only=True):
    """The answer to ``POST /v1/rerank``: the most relevant document first."""

    object: Literal["list"] = "list"
    model: str
    results: list[RankedDocument]
    usage: Usage


def vector_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The embedding and rerank routes over a host."""

    @post(
        "/embeddings",
        **operation("create_embedding", "Create embeddings", "Embeddings", answer=EmbeddingList),
    )
    async def create_embedding(data: JSONBody[EmbeddingRequest]) -> ASGIApp:
        """Turn texts into vectors."""
        texts = split_prompts(data.input, "input")
        request = msgspec.structs.replace(data, model=plain_id(data.model))
        result = await host.embed(request)
        _check_count("vectors", len(result.embeddings), len(texts))
        return JsonStruct(_embedding_list(result, request, model_name(host, request.model)))

    @post(
        "/rerank",
        **operation("create_rerank", "Sort documents by relevance", "Rerank", answer=RerankResponse),
    )
    async def create_rerank(data: JSONBody[RerankRequest]) -> ASGIApp:
        """Score documents against a query; the most relevant comes first."""
        request = msgspec.structs.replace(data, model=plain_id(data.model))
        result = await host.rerank(request)
        _check_count("scores", len(result.scores), len(request.documents))
        return JsonStruct(_rerank_response(result, request, model_name(host, request.model)))

    return [create_embedding, create_rerank]


def _embedding_list(result: EmbeddingResult, request: EmbeddingRequest, model: str) -> EmbeddingList:
    as_base64 = request.encoding_format == "base64"
    return EmbeddingList(
        data=[
            Embedding(
                index=index,
                embedding=_base64(vector) if as_base64 else vector,
                extra=(result.extras and result.extras[index]) or UNSET,
            )
            for index, vector in enumerate(result.embeddings)
        ],
        model=model,
        usage=EmbeddingUsage(
            prompt_tokens=result.usage.prompt_tokens,
            total_tokens=result.usage.total_tokens or result.usage.prompt_tokens,
            extra=result.usage.extra,
        ),
        extra=result.extra,
    )


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _rerank_response(result: RerankResult, request: RerankRequest, model: str) -> RerankResponse:
    order = sorted(range(len(result.scores)), key=lambda index: -result.scores[index])
    return RerankResponse(
        model=model,
        results=[
            RankedDocument(
                index=index,
                relevance_score=result.scores[index],
                document=_document(request.documents[index]) if request.return_documents else UNSET,
                extra=(result.extras and result.extras[index]) or UNSET,
            )
            for index in order[: request.top_n]
        ],
        usage=result.usage,
        extra=result.extra,
    )


def _document(document: str | dict[str, str]) -> dict[str, Any]:
    return {"text": document} if isinstance(document, str) else dict(document)


def _check_count(what: str, got: int, wanted: int) -> None:
    if got != wanted:
        raise EngineError(f"The engine gave {got} {what} for {wanted} texts. Report this to its author.")

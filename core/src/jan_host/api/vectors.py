"""``POST /v1/embeddings``."""

import base64
import struct
from typing import Literal

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import ASGIApp
from msgspec import UNSET

from jan_host.api.answers import model_name, plain_id
from jan_host.api.limits import check_inputs
from jan_host.api.operation import operation
from jan_host.api.replies import JsonStruct
from jan_host.contract.completion import split_prompts
from jan_host.contract.errors import EngineError
from jan_host.contract.unknown import Open
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult
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


def vector_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The embedding route over a host."""

    @post(
        "/embeddings",
        **operation("create_embedding", "Create embeddings", "Embeddings", answer=EmbeddingList),
    )
    async def create_embedding(data: JSONBody[EmbeddingRequest]) -> ASGIApp:
        """Turn texts into vectors."""
        texts = split_prompts(data.input, "input")
        check_inputs(len(texts), host.config.server, "input")
        request = msgspec.structs.replace(data, model=plain_id(data.model))
        result = await host.embed(request)
        check_count("vectors", len(result.embeddings), len(texts))
        return JsonStruct(_embedding_list(result, request, model_name(host, request.model)))

    return [create_embedding]


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


def check_count(what: str, got: int, wanted: int) -> None:
    """Hold what an engine gave against the number of texts that it got.

    Raises:
        EngineError: It is another number.
    """
    if got != wanted:
        raise EngineError(f"The engine gave {got} {what} for {wanted} texts. Report this to its author.")

"""``POST /v1/rerank``, in the form of Jina and Cohere, and in that of Text Embeddings Inference."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import ASGIApp
from msgspec import UNSET, Meta, UnsetType

from jan_host.api.answers import model_name, new_id, plain_id
from jan_host.api.limits import check_inputs
from jan_host.api.operation import operation
from jan_host.api.replies import Json, JsonStruct
from jan_host.api.vectors import check_count
from jan_host.contract.errors import ValidationError
from jan_host.contract.generation import Usage
from jan_host.contract.unknown import Open
from jan_host.contract.vectors import RerankRequest, RerankResult
from jan_host.host import JanHost


class RerankBody(RerankRequest, kw_only=True, omit_defaults=True):
    """What is sent: `documents`, or `texts`, as Hugging Face's Text Embeddings Inference calls them."""

    documents: Annotated[list[str | dict[str, str]], Meta(min_length=1)] = msgspec.field(default_factory=list)
    texts: Annotated[list[str], Meta(min_length=1)] | None = None
    """In place of `documents`; the answer is a list then, as that server gives it."""
    return_text: bool | None = None
    """As `return_documents`, beside `texts`."""


class RankedDocument(Open, kw_only=True):
    """A document's place."""

    index: int
    """The document's place in the request."""
    relevance_score: float
    document: dict[str, Any] | UnsetType = UNSET


class RerankResponse(Open, kw_only=True):
    """The answer to ``POST /v1/rerank``: the most relevant document first."""

    id: str
    object: Literal["list"] = "list"
    model: str
    results: list[RankedDocument]
    usage: Usage


class ScoredText(msgspec.Struct, kw_only=True):
    """A text's place."""

    index: int
    """The text's place in the request."""
    score: float
    text: str | UnsetType = UNSET


def rerank_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The rerank route over a host."""

    @post(
        "/rerank",
        **operation(
            "create_rerank",
            "Sort documents by relevance",
            "Rerank",
            answer=RerankResponse | list[ScoredText],
        ),
    )
    async def create_rerank(data: JSONBody[RerankBody]) -> ASGIApp:
        """Score documents against a query; the most relevant comes first."""
        documents = _documents(data)
        check_inputs(len(documents), host.config.server, "texts" if data.texts else "documents")
        request = RerankRequest(
            query=data.query,
            documents=documents,
            model=plain_id(data.model),
            top_n=data.top_n,
            return_documents=data.return_documents or data.return_text,
            truncate=data.truncate,
            extra=data.extra,
        )
        result = await host.rerank(request)
        check_count("scores", len(result.scores), len(documents))
        answer = _rerank_response(result, request, model_name(host, request.model))
        return Json(_scored(answer)) if data.texts else JsonStruct(answer)

    return [create_rerank]


def _documents(body: RerankBody) -> list[str | dict[str, str]]:
    if not body.texts and not body.documents:
        raise ValidationError("documents: this field is required.", param="documents")
    if body.texts and body.documents:
        raise ValidationError("Send documents or texts, not both.", param="texts")
    return [*body.documents, *(body.texts or ())]


def _rerank_response(result: RerankResult, request: RerankRequest, model: str) -> RerankResponse:
    order = sorted(range(len(result.scores)), key=lambda index: -result.scores[index])
    return RerankResponse(
        id=new_id("rerank"),
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


def _scored(answer: RerankResponse) -> list[ScoredText]:
    return [
        ScoredText(
            index=each.index,
            score=each.relevance_score,
            text=each.document["text"] if each.document else UNSET,
        )
        for each in answer.results
    ]

"""From the contract's requests to those that upstreams read.

Everything that the client sent goes out, fields that jan-host does not know included; only this changes:

- `model` is the upstream's own name, and usage is asked for at the end of every stream;
- the limit of tokens is called ``max_tokens``, which every server knows, and ``max_completion_tokens`` for
  reasoning models, which refuse the other;
- reasoning models refuse sampling options: `UNUSED_BY_REASONING` are left out for them. What asks for a
  part of the answer (`logprobs`, `logit_bias`) is not, so that the upstream can say that it won't do it.
"""

import re
from typing import Any, TypeVar

import msgspec
from jan_host import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    GenerationOptions,
    RerankRequest,
    StreamOptions,
)

UNUSED_BY_REASONING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")

_REASONING = re.compile(r"(^|/)(o[1-9]|gpt-5|codex)(?!.*-chat)", re.IGNORECASE)
"""Names of OpenAI's reasoning models; the ``-chat`` forms of gpt-5 are none."""

RequestT = TypeVar("RequestT", bound=GenerationOptions)


def is_reasoning(model: str) -> bool:
    """Whether a model's name is that of a reasoning model of OpenAI's."""
    return _REASONING.search(model) is not None


def chat_body(request: ChatRequest, model: str, *, reasoning: bool, usage: bool) -> ChatRequest:
    """The body of a chat request.

    Args:
        request: What the client asked, over the model's defaults.
        model: The upstream's name of the model.
        reasoning: Whether it is a reasoning model.
        usage: Whether to ask for usage at the end of a stream.
    """
    limit = request.token_limit()
    changes: dict[str, Any] = {"max_tokens": limit, "max_completion_tokens": None}
    if reasoning:
        changes = {"max_tokens": None, "max_completion_tokens": limit, **dict.fromkeys(UNUSED_BY_REASONING)}
    return msgspec.structs.replace(request, **_common(request, model, usage), **changes)


def completion_body(request: CompletionRequest, model: str, *, usage: bool) -> CompletionRequest:
    """The body of a completion request; arguments as for `chat_body`."""
    return msgspec.structs.replace(request, **_common(request, model, usage))


def embedding_body(request: EmbeddingRequest, model: str) -> EmbeddingRequest:
    """The body of a request for embeddings; numbers are asked for, since every server gives them."""
    return msgspec.structs.replace(request, model=model, encoding_format="float")


def rerank_body(request: RerankRequest, model: str) -> RerankRequest:
    """The body of a rerank: the score of every document is wanted, and no text back."""
    return msgspec.structs.replace(request, model=model, top_n=None, return_documents=False)


def asks_for_usage(request: GenerationOptions) -> bool:
    """Whether a stream is to end with its usage."""
    return bool(request.stream_options and request.stream_options.include_usage)


def without_usage(request: RequestT) -> RequestT:
    """The request for a server that does not know this option."""
    options = request.stream_options and msgspec.structs.replace(request.stream_options, include_usage=None)
    return msgspec.structs.replace(request, stream_options=None if options == StreamOptions() else options)


def _common(request: GenerationOptions, model: str, usage: bool) -> dict[str, Any]:
    options = None
    if request.stream:
        given = request.stream_options or StreamOptions()
        asked = msgspec.structs.replace(given, include_usage=True if usage else None)
        options = None if asked == StreamOptions() else asked
    return {"model": model, "stream": bool(request.stream), "stream_options": options}

"""From the contract's requests to the bodies that upstreams read.

Everything that the client sent goes out, fields that jan-host does not know included; only this changes:

- `model` is the upstream's own name, `stream` and `stream_options` are as this plugin reads the answer;
- the limit of tokens is called ``max_tokens``, which every server knows, and ``max_completion_tokens`` for
  reasoning models, which refuse the other;
- reasoning models refuse sampling options: `UNUSED_BY_REASONING` are left out for them. What asks for a
  part of the answer (`logprobs`, `logit_bias`) is not, so that the upstream can say that it won't do it.
"""

import re
from typing import Any

import msgspec
from jan_host import ChatRequest, CompletionRequest, EmbeddingRequest, GenerationOptions, RerankRequest

UNUSED_BY_REASONING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")

_REASONING = re.compile(r"(^|/)(o[1-9]|gpt-5|codex)(?!.*-chat)", re.IGNORECASE)
"""Names of OpenAI's reasoning models; the ``-chat`` forms of gpt-5 are none."""

Body = dict[str, Any]

encode = msgspec.json.Encoder().encode


def is_reasoning(model: str) -> bool:
    """Whether a model's name is that of a reasoning model of OpenAI's."""
    return _REASONING.search(model) is not None


def chat_body(request: ChatRequest, model: str, *, reasoning: bool, usage: bool) -> Body:
    """The body of a chat request.

    Args:
        request: What the client asked, over the model's defaults.
        model: The upstream's name of the model.
        reasoning: Whether it is a reasoning model.
        usage: Whether to ask for usage at the end of a stream.
    """
    body = _generation(request, model, usage=usage)
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            call["function"].setdefault("arguments", "{}")
    limit = request.token_limit()
    body.pop("max_completion_tokens", None)
    body.pop("max_tokens", None)
    if limit is not None:
        body["max_completion_tokens" if reasoning else "max_tokens"] = limit
    if reasoning:
        for name in UNUSED_BY_REASONING:
            body.pop(name, None)
    return body


def completion_body(request: CompletionRequest, model: str, *, usage: bool) -> Body:
    """The body of a completion request; arguments as for `chat_body`."""
    return _generation(request, model, usage=usage)


def embedding_body(request: EmbeddingRequest, model: str) -> Body:
    """The body of a request for embeddings; numbers are asked for, since every server gives them."""
    return {**_fields(request), "model": model, "encoding_format": "float"}


def rerank_body(request: RerankRequest, model: str) -> Body:
    """The body of a rerank: the score of every document is wanted, and no text back."""
    body = {**_fields(request), "model": model, "return_documents": False}
    body.pop("top_n", None)
    return body


def _generation(request: GenerationOptions, model: str, *, usage: bool) -> Body:
    body = _fields(request)
    body["model"] = model
    body["stream"] = bool(request.stream)
    body.pop("stream_options", None)
    if request.stream and usage:
        body["stream_options"] = {"include_usage": True}
    return body


def _fields(request: msgspec.Struct) -> Body:
    """The fields that are set, with those that jan-host does not know beside them."""
    fields: Body = msgspec.to_builtins(request)
    unknown = fields.pop("$extra", {})
    return {**unknown, **fields}

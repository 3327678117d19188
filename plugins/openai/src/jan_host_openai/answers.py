"""What upstreams answer, in OpenAI's shapes, read leniently: whole answers and chunks of streams alike."""

from typing import Any

import msgspec
from jan_host import CompletionTokensDetails, PromptTokensDetails, TokenLogprob, Usage


class Function(msgspec.Struct, gc=False):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class Call(msgspec.Struct):
    """A piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Piece(msgspec.Struct):
    """A message, or what a chunk adds to it."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    """Another name for it, which vLLM, Ollama and OpenRouter use."""
    refusal: str | None = None
    tool_calls: list[Call] | None = None


class Logprobs(msgspec.Struct):
    """Log probabilities: `content` and `refusal` of chats, the others of completions."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class Choice(msgspec.Struct):
    """One of the answers, or what a chunk adds to it."""

    index: int = 0
    delta: Piece | None = None
    message: Piece | None = None
    text: str | None = None
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class Details(msgspec.Struct, gc=False):
    """The details of usage."""

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class RemoteUsage(msgspec.Struct):
    """Counts of tokens; any may be missing."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None


class Answer(msgspec.Struct):
    """An answer to a chat or a completion, or a chunk of one."""

    choices: list[Choice] = []
    usage: RemoteUsage | None = None
    timings: dict[str, Any] | None = None
    error: Any = None


class Vector(msgspec.Struct):
    """One embedding."""

    embedding: list[float]
    index: int | None = None


class Vectors(msgspec.Struct):
    """An answer to a request for embeddings."""

    data: list[Vector]
    usage: RemoteUsage | None = None


class Rank(msgspec.Struct, gc=False):
    """A document's score."""

    index: int
    relevance_score: float


class Ranks(msgspec.Struct):
    """An answer to a rerank."""

    results: list[Rank]
    usage: RemoteUsage | None = None


decode_answer = msgspec.json.Decoder(Answer).decode
decode_vectors = msgspec.json.Decoder(Vectors).decode
decode_ranks = msgspec.json.Decoder(Ranks).decode


def usage_of(found: RemoteUsage | None) -> Usage:
    """Counts as the contract has them."""
    if found is None:
        return Usage()
    prompt, completion = found.prompt_tokens or 0, found.completion_tokens or 0
    read, spent = found.prompt_tokens_details, found.completion_tokens_details
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=found.total_tokens or prompt + completion,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=read.cached_tokens or 0) if read else None,
        completion_tokens_details=(
            CompletionTokensDetails(reasoning_tokens=spent.reasoning_tokens or 0) if spent else None
        ),
    )

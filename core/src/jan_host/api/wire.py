"""What the generating routes answer, in OpenAI's shapes. `timings` and `reasoning_content` are additions.

What an upstream says beyond them stands beside them, see `jan_host.contract.unknown`.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from jan_host.contract.chat import ToolCall
from jan_host.contract.generation import FinishReason, Timings, TokenLogprob, ToolCallDelta, Usage
from jan_host.contract.unknown import Open, Unknown


class ChoiceLogprobs(msgspec.Struct, kw_only=True):
    """The log probabilities of a choice's tokens."""

    content: list[TokenLogprob] | None
    refusal: list[TokenLogprob] | None = None


class AnswerMessage(Open, kw_only=True):
    """What the assistant said."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall | Unknown] | UnsetType = UNSET


class ChatChoice(Open, kw_only=True):
    """One of the answers."""

    index: int
    message: AnswerMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(Open, kw_only=True):
    """A whole answer to ``POST /v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage | None
    timings: Timings | UnsetType = UNSET


class ChunkDelta(Open, kw_only=True, omit_defaults=True):
    """What a chunk adds to a message."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    tool_calls: list[ToolCallDelta] | UnsetType = UNSET


class ChunkChoice(Open, kw_only=True):
    """What a chunk adds to one of the answers."""

    index: int
    delta: ChunkDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason | None


class ChatCompletionChunk(Open, kw_only=True):
    """A piece of a streamed answer to ``POST /v1/chat/completions``."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    timings: Timings | UnsetType = UNSET


class CompletionLogprobs(msgspec.Struct, kw_only=True):
    """The log probabilities of a text's tokens, in the older shape."""

    tokens: list[str]
    token_logprobs: list[float | None]
    """``None`` for the first token of an echoed prompt."""
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]
    """Where each token begins in the text, in characters."""


class CompletionChoice(Open, kw_only=True):
    """One of the texts, or the next piece of it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: FinishReason | None


class Completion(Open, kw_only=True):
    """An answer to ``POST /v1/completions``: whole, or a piece of a stream."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | UnsetType | None = UNSET
    timings: Timings | UnsetType = UNSET

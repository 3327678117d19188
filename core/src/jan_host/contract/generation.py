"""What a generation yields: deltas, and at the end of each choice its finish reason and figures."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from jan_host.contract.unknown import Open

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class FunctionCallDelta(Open, kw_only=True, omit_defaults=True):
    """A piece of a function call; `arguments` is the next part of the JSON text."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Open, kw_only=True, omit_defaults=True):
    """A piece of a tool call; pieces with the same `index` belong together."""

    index: int
    id: str | None = None
    type: str | None = None
    """``function``; of any other type, the call is in `extra`."""
    function: FunctionCallDelta | None = None


class TopLogprob(Open, kw_only=True):
    """One of the most probable tokens at a position."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    token_id: int | None = None


class TokenLogprob(Open, kw_only=True):
    """The token that was chosen, its log probability, and the most probable ones."""

    token: str
    logprob: float | None
    """``None`` for the first token of an echoed prompt: nothing stands before it."""
    bytes: list[int] | None = None
    token_id: int | None = None
    top_logprobs: list[TopLogprob] = msgspec.field(default_factory=list)


class PromptTokensDetails(Open, kw_only=True):
    """Where the tokens of the prompt came from."""

    cached_tokens: int = 0


class CompletionTokensDetails(Open, kw_only=True):
    """What the generated tokens were spent on."""

    reasoning_tokens: int = 0


class Usage(Open, kw_only=True):
    """Counts of tokens, over all choices of a request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class Timings(msgspec.Struct, kw_only=True):
    """Where a request's time went; in milliseconds and tokens, under the names that local servers share."""

    queued_ms: float = 0.0
    prompt_n: int = 0
    """Prompt tokens that were computed; those in `cache_n` were not."""
    prompt_ms: float = 0.0
    prompt_per_second: float = 0.0
    predicted_n: int = 0
    predicted_ms: float = 0.0
    predicted_per_second: float = 0.0
    cache_n: int = 0


class AnswerExtra(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Fields of an answer that no type names, by where they stand in OpenAI's shape.

    Where an answer is put together, a later value takes the place of an earlier one.
    """

    answer: dict[str, Any] = {}
    """Beside ``choices``. In a stream, they stay for all chunks that follow."""
    choice: dict[str, Any] = {}
    """Beside ``finish_reason``."""
    message: dict[str, Any] = {}
    """Beside ``content``."""


class Delta(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The next piece of one choice of a generation.

    The pieces of a choice, put together, are its whole text. The last piece of each choice
    carries `finish_reason`; the very last delta of the generation also carries `usage` (over
    all choices) and, from engines that measure, `timings`.
    Where a remote engine's upstream tells the usage as it grows, earlier ones carry it too.
    """

    index: int = 0
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: list[ToolCallDelta] = []
    logprobs: list[TokenLogprob] = []
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    extra: AnswerExtra | UnsetType = UNSET
    """What a remote engine's upstream says beyond this."""

"""From an upstream's answer, whole or in chunks, to the contract's deltas."""

from collections.abc import Iterable
from typing import Any, get_args

import msgspec
from jan_host import (
    Delta,
    FinishReason,
    FunctionCallDelta,
    Timings,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    UpstreamError,
    Usage,
)

from jan_host_openai.answers import Answer, Call, Choice, Logprobs, usage_of

_REASONS: dict[str, FinishReason] = {reason: reason for reason in get_args(FinishReason)}
_OTHER_REASONS: dict[str, FinishReason] = {"max_tokens": "length", "error": "stop", "eos": "stop"}


class Deltas:
    """The deltas of one generation.

    Finish reasons are held back to the end, since usage comes behind them and belongs on the last.
    """

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._finished: dict[int, Delta] = {}
        self._usage: Usage | None = None
        self._timings: Timings | None = None

    def add(self, answer: Answer) -> list[Delta]:
        """What a chunk, or the whole answer, adds."""
        if answer.usage is not None:
            self._usage = usage_of(answer.usage)
        if answer.timings is not None:
            self._timings = _timings(answer.timings)
        found = []
        for choice in answer.choices:
            index = choice.index
            if index not in self._finished:
                self._open.add(index)
            delta = _delta(choice)
            if delta is not None:
                found.append(delta)
            if choice.finish_reason:
                self._open.discard(index)
                self._finished[index] = Delta(index=index, finish_reason=_reason(choice.finish_reason))
        return found

    def end(self) -> list[Delta]:
        """The ends of all choices; the last has the usage, where the upstream told it.

        Raises:
            UpstreamError: The answer is not complete.
        """
        if self._open or not self._finished:
            raise UpstreamError("The upstream's answer ended in the middle. Try again.")
        ends = [self._finished[index] for index in sorted(self._finished)]
        ends[-1].usage, ends[-1].timings = self._usage, self._timings
        return ends


def _delta(choice: Choice) -> Delta | None:
    """The piece of a choice, or ``None`` when it says nothing, as the first and the last chunk do."""
    logprobs = _logprobs(choice.logprobs) if choice.logprobs is not None else []
    piece = choice.delta or choice.message
    if piece is None:
        if not choice.text and not logprobs:
            return None
        return Delta(index=choice.index, text=choice.text or "", logprobs=logprobs)
    text = piece.content if isinstance(piece.content, str) else _joined(piece.content)
    reasoning = piece.reasoning_content or piece.reasoning or ""
    calls = _calls(piece.tool_calls) if piece.tool_calls else []
    if not (text or reasoning or piece.refusal or calls or logprobs):
        return None
    return Delta(
        index=choice.index,
        text=text,
        reasoning=reasoning,
        refusal=piece.refusal or "",
        tool_calls=calls,
        logprobs=logprobs,
    )


def _joined(parts: Iterable[Any] | None) -> str:
    """The text of a content that comes in parts."""
    return "".join(str(part.get("text") or "") for part in parts or () if isinstance(part, dict))


def _calls(calls: list[Call]) -> list[ToolCallDelta]:
    return [
        ToolCallDelta(
            index=place if call.index is None else call.index,
            id=call.id,
            type="function" if call.id else None,
            function=FunctionCallDelta(name=call.function.name, arguments=_arguments(call.function.arguments))
            if call.function
            else None,
        )
        for place, call in enumerate(calls)
    ]


def _arguments(given: str | dict[str, Any] | None) -> str | None:
    """Arguments are JSON as text; some servers send the object itself."""
    return msgspec.json.encode(given).decode() if isinstance(given, dict) else given


def _logprobs(given: Logprobs) -> list[TokenLogprob]:
    if given.content or given.refusal:
        return [*(given.content or ()), *(given.refusal or ())]
    tokens, values = given.tokens or [], given.token_logprobs or []
    tops = given.top_logprobs or [None] * len(tokens)
    return [
        # An echoed prompt's first token has no probability, since nothing came before it: it is certain.
        TokenLogprob(
            token=token,
            logprob=value or 0.0,
            top_logprobs=[TopLogprob(token=each, logprob=other) for each, other in (top or {}).items()],
        )
        for token, value, top in zip(tokens, values, tops, strict=False)
    ]


def _reason(given: str) -> FinishReason:
    return _REASONS.get(given) or _OTHER_REASONS.get(given, "stop")


def _timings(given: dict[str, Any]) -> Timings | None:
    try:
        return msgspec.convert(given, Timings)
    except msgspec.ValidationError:
        return None

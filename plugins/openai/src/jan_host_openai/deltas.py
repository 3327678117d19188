"""From an upstream's answer, whole or in chunks, to the contract's deltas."""

from typing import Any, get_args

import msgspec
from jan_host import AnswerExtra, Delta, FinishReason, Timings, UpstreamError, Usage
from msgspec import UNSET, UnsetType

from jan_host_openai.answers import Fields, as_list, as_object, beyond, usage_of
from jan_host_openai.calls import Calls
from jan_host_openai.logprobs import logprobs_of

_REASONS: dict[str, FinishReason] = {reason: reason for reason in get_args(FinishReason)}
_OTHER_REASONS: dict[str, FinishReason] = {"max_tokens": "length", "error": "stop", "eos": "stop"}

_ANSWER = frozenset({"id", "object", "created", "model", "choices", "usage", "timings", "error"})
"""What is read here of an answer, or is the host's own; the rest is passed on. Likewise below."""
_CHOICE = frozenset({"index", "delta", "message", "text", "logprobs", "finish_reason"})
_MESSAGE = frozenset({"role", "content", "reasoning_content", "refusal", "tool_calls"})
"""``reasoning`` is passed on under that name too, since there are clients that know no other."""


class Deltas:
    """The deltas of one generation.

    Finish reasons are held back to the end, since usage comes behind them and belongs on the last.
    """

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._finished: dict[int, Delta] = {}
        self._calls: dict[int, Calls] = {}
        self._usage: Usage | None = None
        self._timings: Timings | None = None
        self._told: Fields = {}
        """The unknown fields of the whole answer that were passed on."""
        self._untold: Fields = {}
        self._last: Fields = {}
        """Those of the last chunk: most servers repeat them."""

    def add(self, answer: Fields) -> list[Delta]:
        """What a chunk, or the whole answer, adds.

        Raises:
            UpstreamError: It can't be read.
            msgspec.ValidationError: Likewise.
        """
        if answer.get("usage") is not None:
            self._usage = usage_of(answer["usage"])
        if answer.get("timings") is not None:
            self._timings = _timings(answer["timings"])
        if not _ANSWER.issuperset(answer):
            unknown = beyond(answer, _ANSWER)
            if unknown != self._last:
                self._note(unknown)
        found = []
        for place, choice in enumerate(as_list(answer.get("choices"), "choices")):
            delta = self._delta(as_object(choice, "a choice"), place)
            if delta is not None:
                found.append(delta)
        if found and self._untold:
            self._tell(found[0])
        if found and self._open and answer.get("usage") is not None:
            found[-1].usage = self._usage  # it grows; that of the end belongs on the very last delta
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
        if self._untold:
            self._tell(ends[-1])
        return ends

    def _note(self, unknown: Fields) -> None:
        self._last = unknown
        self._untold |= {
            name: value
            for name, value in unknown.items()
            if name not in self._told or self._told[name] != value
        }

    def _tell(self, delta: Delta) -> None:
        delta.extra = delta.extra or AnswerExtra()
        delta.extra.answer = self._untold
        self._told |= self._untold
        self._untold = {}

    def _delta(self, choice: Fields, place: int) -> Delta | None:
        """The piece of a choice, or ``None`` when it says nothing, as the first and the last chunk do."""
        index = choice.get("index")
        if type(index) is not int:
            index = place
        words = _only_text(choice)
        if words is not None and index in self._open:
            return Delta(index=index, text=words)
        delta = self._piece(choice, index)
        if choice.get("finish_reason"):
            end = self._end(choice, index)
            if delta is not None and not _says(delta):
                end.extra, delta = _joined(delta.extra, end.extra), None
        elif index not in self._finished:
            self._open.add(index)
        return delta

    def _end(self, choice: Fields, index: int) -> Delta:
        given = str(choice["finish_reason"])
        known = _REASONS.get(given)
        end = Delta(index=index, finish_reason=known or _OTHER_REASONS.get(given, "stop"))
        if known is None and "native_finish_reason" not in choice:
            end.extra = AnswerExtra(choice={"native_finish_reason": given})
        self._open.discard(index)
        self._finished[index] = end
        return end

    def _piece(self, choice: Fields, index: int) -> Delta | None:
        piece = choice.get("delta") or choice.get("message")
        delta = Delta(index=index)
        if choice.get("logprobs"):
            delta.logprobs = logprobs_of(choice["logprobs"])
        if piece is None:
            delta.text = _text(choice.get("text"), "text")
        else:
            self._read(as_object(piece, "a message"), delta)
        if not _CHOICE.issuperset(choice):
            delta.extra = _joined(delta.extra, AnswerExtra(choice=beyond(choice, _CHOICE)))
        return delta if delta.text or delta.extra or _says(delta) else None

    def _read(self, piece: Fields, delta: Delta) -> None:
        content = piece.get("content")
        if type(content) is str:
            delta.text = content
            if len(piece) == 1:
                return
        else:
            delta.text = _text(content, "content")
        thought = piece.get("reasoning_content") or piece.get("reasoning")
        delta.reasoning = thought if isinstance(thought, str) else ""
        delta.refusal = _text(piece.get("refusal"), "refusal")
        if piece.get("tool_calls"):
            delta.tool_calls = self._calls.setdefault(delta.index, Calls()).read(piece["tool_calls"])
        if not _MESSAGE.issuperset(piece):
            delta.extra = AnswerExtra(message=beyond(piece, _MESSAGE))


def _only_text(choice: Fields) -> str | None:
    """The text of a chunk that holds nothing else, as nearly all do."""
    piece = choice.get("delta")
    if type(piece) is not dict or len(piece) != 1 or choice.get("finish_reason") or choice.get("logprobs"):
        return None
    content = piece.get("content")
    return content if type(content) is str and content and _CHOICE.issuperset(choice) else None


def _says(delta: Delta) -> bool:
    return bool(delta.text or delta.reasoning or delta.refusal or delta.tool_calls or delta.logprobs)


def _joined(first: AnswerExtra | UnsetType, second: AnswerExtra | UnsetType) -> AnswerExtra | UnsetType:
    if not (first and second):
        return first or second or UNSET
    return AnswerExtra(choice=first.choice | second.choice, message=first.message | second.message)


def _text(content: Any, name: str) -> str:
    """The text of a content, which some servers send in parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise UpstreamError(f"The upstream's answer can't be read: {name} is no text.")
    return content


def _timings(given: Any) -> Timings | None:
    try:
        return msgspec.convert(given, Timings)
    except msgspec.ValidationError:
        return None

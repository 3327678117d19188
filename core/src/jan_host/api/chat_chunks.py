"""Deltas as the chunks of a streamed chat answer."""

from collections.abc import Callable, Iterator

from msgspec import UNSET, UnsetType

from jan_host.api.answers import Heading
from jan_host.api.frame import Frame
from jan_host.api.wire import ChatCompletionChunk, ChoiceLogprobs, ChunkChoice, ChunkDelta
from jan_host.contract.generation import Delta, FinishReason
from jan_host.contract.options import StreamOptions


class ChatChunks:
    """One stream's chunks: the role first, then what each delta adds, the finish reason alone, usage.

    Args:
        head: See `Frame`.
        options: See `Frame`.
    """

    def __init__(self, head: Callable[[], Heading], options: StreamOptions | None) -> None:
        self._frame = Frame(ChatCompletionChunk, head, options)
        self.end = self._frame.end

    def add(self, delta: Delta) -> bytes:
        """The chunks of a delta; mostly one, none for a delta that tells nothing."""
        is_first = self._frame.note(delta)
        piece = _piece(delta)
        if piece is not None and not (is_first or delta.finish_reason or delta.extra):
            return self._frame.chunk(piece, delta)
        choices = [*_opening(delta, is_first), *([piece] if piece else []), *_closing(delta)]
        if delta.extra:
            _add_extra(delta, choices)
        return b"".join([self._frame.chunk(choice, delta) for choice in choices])


def _opening(delta: Delta, is_first: bool) -> Iterator[ChunkChoice]:
    if is_first:
        calls_first = bool(delta.tool_calls and not delta.text)
        yield _choice(delta, ChunkDelta(role="assistant", content=None if calls_first else ""))


def _piece(delta: Delta) -> ChunkChoice | None:
    logprobs = None
    if delta.reasoning or delta.refusal or delta.tool_calls or delta.logprobs:
        piece = ChunkDelta(
            content=delta.text or _empty_beside(delta),
            reasoning_content=delta.reasoning or UNSET,
            refusal=delta.refusal or UNSET,
            tool_calls=delta.tool_calls or UNSET,
        )
        logprobs = ChoiceLogprobs(content=delta.logprobs) if delta.logprobs else None
    elif delta.text:
        piece = ChunkDelta(content=delta.text)
    else:
        return None
    return ChunkChoice(index=delta.index, delta=piece, logprobs=logprobs, finish_reason=None)


def _closing(delta: Delta) -> Iterator[ChunkChoice]:
    if delta.finish_reason is not None:
        yield _choice(delta, ChunkDelta(), delta.finish_reason)


def _choice(delta: Delta, piece: ChunkDelta, finish_reason: FinishReason | None = None) -> ChunkChoice:
    return ChunkChoice(index=delta.index, delta=piece, logprobs=None, finish_reason=finish_reason)


def _empty_beside(delta: Delta) -> str | UnsetType:
    """Log probabilities of a token whose text is still held back need a content to stand beside."""
    return "" if delta.logprobs and not (delta.reasoning or delta.tool_calls) else UNSET


def _add_extra(delta: Delta, choices: list[ChunkChoice]) -> None:
    """Put what nobody named on the last of a delta's chunks, and make one for it where there is none."""
    extra = delta.extra
    if not extra or not (extra.choice or extra.message or extra.answer):
        return
    if not choices:
        choices.append(_choice(delta, ChunkDelta()))
    choices[-1].extra = extra.choice or UNSET
    choices[-1].delta.extra = extra.message or UNSET

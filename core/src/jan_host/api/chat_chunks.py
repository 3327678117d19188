"""Deltas as the chunks of a streamed chat answer."""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from jan_host.api.answers import Heading, check_finished
from jan_host.api.sse import DONE, data_line
from jan_host.api.version import FINGERPRINT
from jan_host.api.wire import ChatCompletionChunk, ChoiceLogprobs, ChunkChoice, ChunkDelta
from jan_host.contract.generation import Delta, Timings, Usage

_encode = msgspec.json.Encoder().encode


class ChatChunks:
    """One stream's chunks: the role first, then what each delta adds, the finish reason alone, usage.

    Args:
        head: The heading; asked for at the first delta, when it is known which model answers.
        include_usage: Whether the stream ends with a chunk of usage; then the others say ``null``.
    """

    def __init__(self, head: Callable[[], Heading], *, include_usage: bool) -> None:
        self._make_head = head
        self._head: Heading | None = None
        self._include_usage = include_usage
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._usage: Usage | None = None
        self._timings: Timings | None = None

    def add(self, delta: Delta) -> bytes:
        """The chunks of a delta; mostly one, none for a delta that tells nothing."""
        self._usage = delta.usage or self._usage
        self._timings = delta.timings or self._timings
        return b"".join([data_line(_encode(self._chunk([choice]))) for choice in self._choices(delta)])

    def end(self) -> bytes:
        """The end of the stream.

        Raises:
            EngineError: A choice was cut off.
        """
        check_finished(self._open)
        if not self._include_usage:
            return DONE
        last = self._chunk([])
        last.usage = self._usage or Usage()
        last.timings = self._timings or UNSET
        return data_line(_encode(last)) + DONE

    def _choices(self, delta: Delta) -> Iterator[ChunkChoice]:
        index = delta.index
        if index not in self._seen:
            self._seen.add(index)
            self._open.add(index)
            calls_first = bool(delta.tool_calls and not delta.text)
            yield _choice(index, ChunkDelta(role="assistant", content=None if calls_first else ""))
        if delta.text or delta.reasoning or delta.refusal or delta.tool_calls or delta.logprobs:
            logprobs = ChoiceLogprobs(content=delta.logprobs) if delta.logprobs else None
            piece = ChunkDelta(
                content=delta.text or _empty_beside(delta),
                reasoning_content=delta.reasoning or UNSET,
                refusal=delta.refusal or UNSET,
                tool_calls=delta.tool_calls or UNSET,
            )
            yield ChunkChoice(index=index, delta=piece, logprobs=logprobs, finish_reason=None)
        if delta.finish_reason is not None:
            self._open.discard(index)
            yield ChunkChoice(
                index=index, delta=ChunkDelta(), logprobs=None, finish_reason=delta.finish_reason
            )

    def _chunk(self, choices: list[ChunkChoice]) -> ChatCompletionChunk:
        if self._head is None:
            self._head = self._make_head()
        head = self._head
        return ChatCompletionChunk(
            id=head.id,
            created=head.created,
            model=head.model,
            system_fingerprint=FINGERPRINT,
            choices=choices,
            usage=None if self._include_usage else UNSET,
        )


def _choice(index: int, delta: ChunkDelta) -> ChunkChoice:
    return ChunkChoice(index=index, delta=delta, logprobs=None, finish_reason=None)


def _empty_beside(delta: Delta) -> str | UnsetType:
    """Log probabilities of a token whose text is still held back need a content to stand beside."""
    return "" if delta.logprobs and not (delta.reasoning or delta.tool_calls) else UNSET

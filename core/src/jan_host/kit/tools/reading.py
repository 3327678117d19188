"""An answer is read while it is generated: bytes become text, reasoning and calls."""

import codecs
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Protocol

from jan_host.contract.generation import FinishReason
from jan_host.kit.stream import TextStream
from jan_host.kit.tools.feed import Feed, Steps
from jan_host.kit.tools.formats.base import Format
from jan_host.kit.tools.reasoning import Tags, read_reasoning
from jan_host.kit.tools.said import Said, Sink


class Reader(Protocol):
    """Reads the answer of one choice, as it comes."""

    parses: ClassVar[bool]
    """Whether there may be more to it than the text of its tokens."""

    @property
    def stopped(self) -> bool:
        """Whether the answer is over by what was read."""
        ...

    @property
    def is_reasoning(self) -> bool:
        """Whether the model is reasoning at this moment."""
        ...

    def push(self, data: bytes) -> Said:
        """What is certain after `data`, the bytes of the next token or tokens."""
        ...

    def flush(self) -> Said:
        """The rest, at the end of the generation."""
        ...

    def reason(self, reason: FinishReason) -> FinishReason:
        """The finish reason of an answer that ended by `reason`."""
        ...


class PlainReader:
    """Reads an answer that is nothing but text.

    Args:
        stops: Stop strings.
        shown: Those of them that the answer ends with, instead of before them.
    """

    parses: ClassVar = False
    is_reasoning = False

    def __init__(self, stops: Sequence[str], shown: Collection[str] = ()) -> None:
        self._stream = TextStream(stops, shown=shown)

    @property
    def stopped(self) -> bool:
        """See `Reader`."""
        return self._stream.stopped is not None

    def push(self, data: bytes) -> Said:
        """See `Reader`."""
        return Said(self._stream.push(data))

    def flush(self) -> Said:
        """See `Reader`."""
        return Said(self._stream.flush())

    def reason(self, reason: FinishReason) -> FinishReason:
        """See `Reader`."""
        return reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the answers to a request are to be read."""

    format: Format
    names: Sequence[str] = ()
    """The tools that may be called; without any, calls are content."""
    must: bool = False
    """Whether the answer is held to calls: then what is none is the beginning of one, and no content."""
    most: int | None = None
    """How many calls there may be."""
    tags: Sequence[Tags] = ()
    """What may stand around reasoning."""
    inside: Tags | None = None
    """The tags that the prompt has opened."""
    stops: Sequence[str] = ()
    """Stop strings; they are looked for in the content alone."""
    shown_stops: Collection[str] = ()
    """Those of them that the content ends with, instead of before them."""

    def reader(self) -> "AnswerReader":
        """A reader for one choice."""
        return AnswerReader(self)


class AnswerReader:
    """Reads one choice.

    What comes out does not depend on how the bytes were split. Nothing that a model writes is an error: what
    is no call is content, as it stands.

    Args:
        reading: How.
    """

    parses: ClassVar = True

    def __init__(self, reading: Reading) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._feed = Feed()
        self._sink = Sink(
            reading.names,
            speaks=not reading.must,
            most=reading.most,
            stops=reading.stops,
            shown=reading.shown_stops,
            new_id=reading.format.new_id,
        )
        self._steps = _answer(self._feed, self._sink, reading)
        self._ended = False

    @property
    def stopped(self) -> bool:
        """Whether the answer is over by what was read: a stop string, or the last call that is wanted."""
        return self._sink.ended

    @property
    def is_reasoning(self) -> bool:
        """Whether the model is reasoning at this moment."""
        return self._sink.is_reasoning

    def push(self, data: bytes) -> Said:
        """What is certain after `data`, the bytes of the next token or tokens."""
        text = self._decode(data)
        if not text or self.stopped:
            return Said()
        self._feed.add(text)
        self._advance()
        return self._sink.take()

    def flush(self) -> Said:
        """The rest, at the end of the generation."""
        if self.stopped:
            return Said()
        self._feed.add(self._decode(b"", True))
        self._feed.end()
        self._advance()
        self._sink.finish()
        return self._sink.take()

    def reason(self, reason: FinishReason) -> FinishReason:
        """The finish reason of an answer that ended by `reason`."""
        return "tool_calls" if reason == "stop" and self._sink.calls else reason

    def _advance(self) -> None:
        if not self._ended:
            with suppress(StopIteration):
                next(self._steps)
                return
            self._ended = True


def _answer(feed: Feed, sink: Sink, reading: Reading) -> Steps[None]:
    if reading.tags:
        yield from read_reasoning(feed, sink, reading.tags, reading.inside)
    if reading.names or reading.format.structured:
        yield from reading.format.parse(feed, sink)
    yield from feed.until((), sink.content)

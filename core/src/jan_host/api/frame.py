"""What all pieces of an answer have around their choices: its heading, and its figures at the end."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import UNSET

from jan_host.api.answers import Heading, check_finished
from jan_host.api.sse import DONE, data_line
from jan_host.api.version import FINGERPRINT
from jan_host.api.wire import (
    ChatChoice,
    ChatCompletion,
    ChatCompletionChunk,
    ChunkChoice,
    Completion,
    CompletionChoice,
)
from jan_host.contract.generation import Delta, Timings, Usage
from jan_host.contract.options import StreamOptions
from jan_host.contract.unknown import to_json

AnswerT = TypeVar("AnswerT", bound=ChatCompletion | ChatCompletionChunk | Completion)

_NO_CHOICES = b'"choices":[]'


class Frame(Generic[AnswerT]):
    """The frame of one generation, as a stream or as a whole.

    Args:
        kind: The type of the answer, or of a stream's chunks.
        head: The heading; asked for when it is first needed, since only then it is known which model answers.
        options: What a stream tells of usage: nothing, a chunk at its end (then the others say ``null``),
            or the usage so far on every chunk.
    """

    def __init__(
        self, kind: Callable[..., AnswerT], head: Callable[[], Heading], options: StreamOptions | None = None
    ) -> None:
        self._kind = kind
        self._make_head = head
        self._head: Heading | None = None
        self._include_usage = bool(options and options.include_usage)
        self._all_along = bool(options and options.include_usage and options.continuous_usage_stats)
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._usage: Usage | None = None
        self._timings: Timings | None = None
        self._extra: dict[str, Any] = {}
        self._around: tuple[bytes, bytes] | None = None

    def note(self, delta: Delta) -> bool:
        """Take in what a delta tells of the whole; true for the first delta of its choice."""
        if delta.usage is not None:
            self._usage = delta.usage
        if delta.timings is not None:
            self._timings = delta.timings
        if delta.extra and delta.extra.answer:
            self._extra |= delta.extra.answer
            self._around = None
        is_first = delta.index not in self._seen
        if is_first:
            self._seen.add(delta.index)
            self._open.add(delta.index)
        if delta.finish_reason is not None:
            self._open.discard(delta.index)
        return is_first

    def chunk(self, choice: ChunkChoice | CompletionChoice, delta: Delta) -> bytes:
        """The event of a stream that has one choice, of a delta.

        Where no usage comes behind it, the timings stand on the one that ends the last choice.
        """
        if delta.timings is not None and choice.finish_reason is not None and not self._include_usage:
            return data_line(to_json(self._answer([choice], UNSET, delta.timings)))
        if self._all_along and self._usage is not None:
            return data_line(to_json(self._answer([choice], self._usage, UNSET)))
        if self._around is None:
            # Encoded once: it is the same around every choice, and larger than most.
            blank = to_json(self._answer([], None if self._include_usage else UNSET, UNSET))
            before, _, after = data_line(blank).partition(_NO_CHOICES)
            self._around = before + _NO_CHOICES[:-1], _NO_CHOICES[-1:] + after
        before, after = self._around
        return before + to_json(choice) + after

    def end(self) -> bytes:
        """The end of a stream.

        Raises:
            EngineError: A choice was cut off.
        """
        check_finished(self._open)
        if not self._include_usage:
            return DONE
        return data_line(to_json(self._answer([], self._usage or Usage(), self._timings or UNSET))) + DONE

    def whole(self, choices: list[ChatChoice] | list[CompletionChoice]) -> AnswerT:
        """The whole answer.

        Raises:
            EngineError: A choice was cut off.
        """
        check_finished(self._open)
        return self._answer(choices, self._usage, self._timings or UNSET)

    def _answer(self, choices: Any, usage: Any, timings: Any) -> AnswerT:
        self._head = head = self._head or self._make_head()
        return self._kind(
            id=head.id,
            created=head.created,
            model=head.model,
            system_fingerprint=str(self._extra.get("system_fingerprint") or FINGERPRINT),
            choices=choices,
            usage=usage,
            timings=timings,
            extra=self._extra or UNSET,
        )

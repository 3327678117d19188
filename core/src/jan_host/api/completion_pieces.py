"""Deltas as the pieces of a streamed completion, or put together to a whole one."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET

from jan_host.api.answers import Heading, check_finished
from jan_host.api.sse import DONE, data_line
from jan_host.api.version import FINGERPRINT
from jan_host.api.wire import Completion, CompletionChoice, CompletionLogprobs
from jan_host.contract.generation import Delta, Timings, TokenLogprob, Usage

_encode = msgspec.json.Encoder().encode


class CompletionPieces:
    """Takes in the deltas of one generation.

    Args:
        head: The heading; asked for at the first delta, when it is known which model answers.
        include_usage: Whether a stream ends with a chunk of usage; then the others say ``null``.
    """

    def __init__(self, head: Callable[[], Heading], *, include_usage: bool) -> None:
        self._make_head = head
        self._head: Heading | None = None
        self._include_usage = include_usage
        self._kept: dict[int, list[Delta]] = {}
        self._open: dict[int, int] = {}
        self._offsets: dict[int, int] = {}
        self._usage: Usage | None = None
        self._timings: Timings | None = None

    def add(self, delta: Delta) -> bytes:
        """The chunk of a delta; nothing for one that tells nothing."""
        choice = self._choice(delta)
        if not (delta.text or delta.logprobs or delta.finish_reason):
            return b""
        chunk = self._completion([choice])
        chunk.usage = None if self._include_usage else UNSET
        return data_line(_encode(chunk))

    def end(self) -> bytes:
        """The end of a stream.

        Raises:
            EngineError: A choice was cut off.
        """
        check_finished(self._open)
        if not self._include_usage:
            return DONE
        last = self._completion([])
        last.usage = self._usage or Usage()
        last.timings = self._timings or UNSET
        return data_line(_encode(last)) + DONE

    def keep(self, delta: Delta) -> None:
        """Take in a delta for `whole`."""
        self._kept.setdefault(delta.index, []).append(delta)
        self._note(delta)

    def whole(self) -> Completion:
        """All that was kept.

        Raises:
            EngineError: A choice was cut off.
        """
        check_finished(self._open)
        whole = self._completion([self._joined(index) for index in sorted(self._kept)])
        whole.usage = self._usage
        whole.timings = self._timings or UNSET
        return whole

    def _joined(self, index: int) -> CompletionChoice:
        deltas = self._kept[index]
        logprobs = [item for delta in deltas for item in delta.logprobs]
        reasons = [delta.finish_reason for delta in deltas if delta.finish_reason is not None]
        return CompletionChoice(
            index=index,
            text="".join([delta.text for delta in deltas]),
            logprobs=_older_shape(logprobs, 0),
            finish_reason=reasons[-1],
        )

    def _note(self, delta: Delta) -> None:
        self._usage = delta.usage or self._usage
        self._timings = delta.timings or self._timings
        if delta.finish_reason is None:
            self._open[delta.index] = delta.index
        else:
            self._open.pop(delta.index, None)

    def _choice(self, delta: Delta) -> CompletionChoice:
        self._note(delta)
        offset = self._offsets.get(delta.index, 0)
        self._offsets[delta.index] = offset + sum(len(item.token) for item in delta.logprobs)
        return CompletionChoice(
            index=delta.index,
            text=delta.text,
            logprobs=_older_shape(delta.logprobs, offset),
            finish_reason=delta.finish_reason,
        )

    def _completion(self, choices: list[CompletionChoice]) -> Completion:
        if self._head is None:
            self._head = self._make_head()
        head = self._head
        return Completion(
            id=head.id,
            created=head.created,
            model=head.model,
            system_fingerprint=FINGERPRINT,
            choices=choices,
        )


def _older_shape(items: Sequence[TokenLogprob], offset: int) -> CompletionLogprobs | None:
    """Log probabilities as completions have them; `offset` is where the first token begins."""
    if not items:
        return None
    offsets = []
    for item in items:
        offsets.append(offset)
        offset += len(item.token)
    return CompletionLogprobs(
        tokens=[item.token for item in items],
        token_logprobs=[item.logprob for item in items],
        top_logprobs=[{top.token: top.logprob for top in item.top_logprobs} for item in items],
        text_offset=offsets,
    )

"""Deltas as the pieces of a streamed completion, or put together to a whole one."""

from collections.abc import Callable, Sequence

from msgspec import UNSET

from jan_host.api.answers import Heading
from jan_host.api.frame import Frame
from jan_host.api.wire import Completion, CompletionChoice, CompletionLogprobs
from jan_host.contract.generation import Delta, TokenLogprob


class CompletionPieces:
    """Takes in the deltas of one generation.

    Args:
        head: See `Frame`.
        include_usage: See `Frame`.
    """

    def __init__(self, head: Callable[[], Heading], *, include_usage: bool) -> None:
        self._frame = Frame(Completion, head, include_usage=include_usage)
        self.end = self._frame.end
        self._kept: dict[int, list[Delta]] = {}
        self._offsets: dict[int, int] = {}

    def add(self, delta: Delta) -> bytes:
        """The chunk of a delta; nothing for one that tells nothing."""
        self._frame.note(delta)
        if not (delta.text or delta.logprobs or delta.finish_reason or delta.extra):
            return b""
        return self._frame.chunk(self._choice(delta))

    def keep(self, delta: Delta) -> None:
        """Take in a delta for `whole`."""
        self._frame.note(delta)
        self._kept.setdefault(delta.index, []).append(delta)

    def whole(self) -> Completion:
        """All that was kept.

        Raises:
            EngineError: A choice was cut off.
        """
        return self._frame.whole([self._joined(index) for index in sorted(self._kept)])

    def _joined(self, index: int) -> CompletionChoice:
        deltas = self._kept[index]
        logprobs = [item for delta in deltas for item in delta.logprobs]
        reasons = [delta.finish_reason for delta in deltas if delta.finish_reason is not None]
        extras = [delta.extra.choice for delta in deltas if delta.extra]
        return CompletionChoice(
            index=index,
            text="".join([delta.text for delta in deltas]),
            logprobs=_older_shape(logprobs, 0),
            finish_reason=reasons[-1] if reasons else None,
            extra={name: value for extra in extras for name, value in extra.items()} or UNSET,
        )

    def _choice(self, delta: Delta) -> CompletionChoice:
        logprobs = None
        if delta.logprobs:
            offset = self._offsets.get(delta.index, 0)
            self._offsets[delta.index] = offset + sum(len(item.token) for item in delta.logprobs)
            logprobs = _older_shape(delta.logprobs, offset)
        return CompletionChoice(
            index=delta.index,
            text=delta.text,
            logprobs=logprobs,
            finish_reason=delta.finish_reason,
            extra=(delta.extra and delta.extra.choice) or UNSET,
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

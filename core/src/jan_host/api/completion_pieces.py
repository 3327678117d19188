"""Deltas as the pieces of a streamed completion, or put together to a whole one."""

import codecs
from collections.abc import Callable, Sequence

from msgspec import UNSET

from jan_host.api.answers import Heading
from jan_host.api.frame import Frame
from jan_host.api.wire import Completion, CompletionChoice, CompletionLogprobs
from jan_host.contract.generation import Delta, TokenLogprob, TopLogprob
from jan_host.contract.options import StreamOptions


class CompletionPieces:
    """Takes in the deltas of one generation.

    Args:
        head: See `Frame`.
        options: See `Frame`.
    """

    def __init__(self, head: Callable[[], Heading], options: StreamOptions | None) -> None:
        self._frame = Frame(Completion, head, options)
        self.end = self._frame.end
        self._kept: dict[int, list[Delta]] = {}
        self._offsets: dict[int, Offsets] = {}

    def add(self, delta: Delta) -> bytes:
        """The chunk of a delta; nothing for one that tells nothing."""
        self._frame.note(delta)
        if not (delta.text or delta.logprobs or delta.finish_reason or delta.extra):
            return b""
        return self._frame.chunk(self._choice(delta), delta)

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
            logprobs=_older_shape(logprobs, Offsets()),
            finish_reason=reasons[-1] if reasons else None,
            extra={name: value for extra in extras for name, value in extra.items()} or UNSET,
        )

    def _choice(self, delta: Delta) -> CompletionChoice:
        logprobs = None
        if delta.logprobs:
            offsets = self._offsets.setdefault(delta.index, Offsets())
            logprobs = _older_shape(delta.logprobs, offsets)
        return CompletionChoice(
            index=delta.index,
            text=delta.text,
            logprobs=logprobs,
            finish_reason=delta.finish_reason,
            extra=(delta.extra and delta.extra.choice) or UNSET,
        )


class Offsets:
    """Where tokens begin in their text, in characters; a character may be spread over several tokens."""

    def __init__(self) -> None:
        self._length = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def pass_by(self, item: TokenLogprob) -> int:
        """The place of a token that follows those before."""
        start = self._length
        self._length += len(item.token if item.bytes is None else self._decode(bytes(item.bytes)))
        return start


def _older_shape(items: Sequence[TokenLogprob], offsets: Offsets) -> CompletionLogprobs | None:
    """Log probabilities as completions have them."""
    if not items:
        return None
    return CompletionLogprobs(
        tokens=[_name(item) for item in items],
        token_logprobs=[item.logprob for item in items],
        top_logprobs=[None if item.logprob is None else _top(item, item.logprob) for item in items],
        text_offset=[offsets.pass_by(item) for item in items],
    )


def _top(item: TokenLogprob, logprob: float) -> dict[str, float]:
    """The most probable tokens, and the chosen one, which OpenAI tells among them in any case."""
    return {_name(top): top.logprob for top in item.top_logprobs} | {_name(item): logprob}


def _name(item: TokenLogprob | TopLogprob) -> str:
    """A token's text; bytes that are no whole characters as OpenAI writes them, so that no two are alike."""
    if item.bytes is None or list(item.token.encode("utf-8", "replace")) == item.bytes:
        return item.token
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in item.bytes)

"""Log probabilities of tokens, as the model gives them before any sampling option changes them."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from jan_host.contract.generation import TokenLogprob, TopLogprob

Report = Callable[[int], TokenLogprob]
"""Tells of the token that was chosen."""

IMPOSSIBLE: Final = -9999.0
"""The log probability of a token that can't come: OpenAI's number, since JSON has no infinity."""


class Spells(Protocol):
    """Knows what tokens look like."""

    def spelled(self, token: int) -> bytes:
        """The bytes of a token, control tokens written out."""
        ...


class Reporter:
    """Tells log probabilities: the log of the softmax over the whole vocabulary.

    Args:
        vocabulary: The model's vocabulary.
        top: How many of the most probable tokens to tell beside the chosen one.
    """

    def __init__(self, vocabulary: Spells, top: int) -> None:
        self._vocabulary = vocabulary
        self._top = top

    def prepare(self, scores: npt.NDArray[np.float32]) -> Report:
        """Note what the scores say, before they are changed; the result tells of a token by them."""
        known = scores.copy()
        peak = known.max()
        total = float(peak) + float(np.log(np.exp(known - peak).sum(dtype=np.float64)))
        best = self._best(known)

        def report(token: int) -> TokenLogprob:
            text, data = self._spelled(token)
            top = [self._top_one(other, _logprob(known, other, total)) for other in best]
            return TokenLogprob(
                token=text,
                logprob=_logprob(known, token, total),
                bytes=data,
                token_id=token,
                top_logprobs=top,
            )

        return report

    def first(self, token: int) -> TokenLogprob:
        """What is told of the first token of a text, which nothing says anything about."""
        text, data = self._spelled(token)
        return TokenLogprob(token=text, logprob=None, bytes=data, token_id=token)

    def _best(self, known: npt.NDArray[np.float32]) -> list[int]:
        """The most probable tokens, the best first."""
        if not self._top:
            return []
        places = np.argpartition(known, -self._top)[-self._top :]
        best: list[int] = places[np.argsort(-known[places])].tolist()
        return best

    def _top_one(self, token: int, logprob: float) -> TopLogprob:
        text, data = self._spelled(token)
        return TopLogprob(token=text, logprob=logprob, bytes=data, token_id=token)

    def _spelled(self, token: int) -> tuple[str, list[int]]:
        data = self._vocabulary.spelled(token)
        return data.decode("utf-8", "replace"), list(data)


class HeldLogprobs:
    """Log probabilities of tokens, held back as long as all of their text is."""

    def __init__(self) -> None:
        self._held: deque[tuple[TokenLogprob, int]] = deque()
        self._shown = 0
        """Bytes that were shown beyond those of the tokens that were told."""

    def hold(self, logprob: TokenLogprob, size: int) -> None:
        """Keep what is told of a token whose text has `size` bytes."""
        self._held.append((logprob, size))

    def release(self, text: str, *, all_of_them: bool = False) -> list[TokenLogprob]:
        """Those of the tokens of which `text` shows something, or all that are left."""
        if not self._held:
            return []
        self._shown += len(text.encode("utf-8", "replace"))
        told = []
        while self._held and (all_of_them or self._shown > 0):
            logprob, size = self._held.popleft()
            self._shown -= size
            told.append(logprob)
        return told


def _logprob(known: npt.NDArray[np.float32], token: int, total: float) -> float:
    return max(float(known[token]) - total, IMPOSSIBLE)

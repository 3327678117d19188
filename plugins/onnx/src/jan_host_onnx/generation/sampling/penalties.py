"""Penalties for what was said before, each as llama.cpp's sampler of its name (llama-sampling.cpp)."""

import math
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence as Items

import numpy as np
import numpy.typing as npt

from jan_host_onnx.generation.sampling.candidates import Scores

Tokens = npt.NDArray[np.int32]
Breakers = Mapping[int, Items[tuple[int, ...]]]
"""Tokens that break a repetition, each with what must follow it for that (nothing, mostly)."""

_LARGEST_EXPONENT = 88.7228391
"""Of e in float32."""


class Repetition:
    """``repeat_penalty``, ``frequency_penalty`` and ``presence_penalty`` over the last tokens.

    Args:
        repeat: Divides scores above zero, multiplies those below.
        frequency: Taken from a score for each time the token came.
        presence: Taken once.
        reach: How many tokens to look back.
    """

    def __init__(self, repeat: float, frequency: float, presence: float, reach: int) -> None:
        self._repeat = repeat
        self._frequency = frequency
        self._presence = presence
        self._reach = reach

    def __call__(self, scores: Scores, before: Tokens) -> None:
        """Change `scores`, of the whole vocabulary, in place."""
        counts = Counter(before[-self._reach :].tolist())
        ids = np.fromiter(counts, np.intp, len(counts))
        times = np.fromiter(counts.values(), np.float32, len(counts))
        known = scores[ids]
        known = np.where(known <= 0, known * np.float32(self._repeat), known / np.float32(self._repeat))
        scores[ids] = known - times * np.float32(self._frequency) - np.float32(self._presence)


class Dry:
    """DRY ("don't repeat yourself", p-e-w 2024): a token that would go on with a repetition loses score.

    Args:
        multiplier: The penalty of a repetition of `allowed` tokens.
        base: The penalty grows by this factor with each token more.
        allowed: Repetitions shorter than this cost nothing.
        reach: How many tokens to look back.
        breakers: What no repetition goes across.
    """

    def __init__(self, multiplier: float, base: float, allowed: int, reach: int, breakers: Breakers) -> None:
        self._multiplier = multiplier
        self._base = base
        self._allowed = allowed
        self._reach = reach
        self._breakers = breakers
        self._most = int(_LARGEST_EXPONENT / math.log(base)) if base > 1.000001 else 0

    def __call__(self, scores: Scores, before: Tokens) -> None:
        """Change `scores`, of the whole vocabulary, in place."""
        window = before[-self._reach :]
        limit = self._until_breaker(window)
        if len(window) <= self._allowed or limit < self._allowed:
            return
        longest: dict[int, int] = {}
        for place, length in _repetitions(window, limit):
            token = int(window[place + 1])
            longest[token] = max(length, longest.get(token, 0))
        for token, length in longest.items():
            if length >= self._allowed:
                scores[token] -= self._penalty(length - self._allowed)

    def _penalty(self, exponent: int) -> float:
        return self._multiplier * self._base ** (min(exponent, self._most) if self._most else exponent)

    def _until_breaker(self, window: Tokens) -> int:
        """How many tokens at the end stand behind the last breaker."""
        newest_first = window[::-1].tolist()
        for index, token in enumerate(newest_first):
            matches = [
                len(tail)
                for tail in self._breakers.get(token, ())
                if len(tail) <= index and all(newest_first[index - 1 - at] == t for at, t in enumerate(tail))
            ]
            if matches:
                return index - max(matches)
        return len(newest_first)


def _repetitions(window: Tokens, limit: int) -> list[tuple[int, int]]:
    """Each place before the end whose tokens until there are the window's last ones, and how many of them."""
    if limit == 0:
        return []
    end = len(window) - 1
    places = np.flatnonzero(window[:end] == window[end])
    found: list[tuple[int, int]] = []
    length = 1
    while len(places):
        further = places[places >= length] if length < limit else places[:0]
        further = further[window[further - length] == window[end - length]]
        ended = np.setdiff1d(places, further, assume_unique=True)
        found += [(place, length) for place in ended.tolist()]
        places = further
        length += 1
    return found

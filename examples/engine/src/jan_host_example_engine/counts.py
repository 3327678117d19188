"""The model itself: how often which token follows which, and how to pick the next one."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

import msgspec

from jan_host_example_engine.vocabulary import END, Vocabulary

_BLANK_LINES = re.compile(r"\n\s*\n")


class Sampling(msgspec.Struct, kw_only=True, frozen=True):
    """How the next token is picked; the names are OpenAI's."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


class Counts:
    """Counts of what follows each run of up to ``order - 1`` tokens.

    Args:
        text: What to count in. Blank lines part it into passages.
        vocabulary: The vocabulary of the same text.
        order: Length of the longest n-gram, in tokens; at least 1.
        progress: Told how much is done, from 0 to 1.
    """

    def __init__(
        self, text: str, vocabulary: Vocabulary, order: int, progress: Callable[[float], None]
    ) -> None:
        self._order = order
        self._followers: dict[tuple[int, ...], Counter[int]] = {}
        passages = [passage.strip() for passage in _BLANK_LINES.split(text) if passage.strip()]
        for done, passage in enumerate(passages, 1):
            self._count([END, *vocabulary.encode(passage), END])
            progress(done / len(passages))

    def _count(self, tokens: Sequence[int]) -> None:
        for position in range(1, len(tokens)):
            for length in range(min(self._order, position + 1)):
                context = tuple(tokens[position - length : position])
                self._followers.setdefault(context, Counter())[tokens[position]] += 1

    def candidates(self, tokens: Sequence[int], forbidden: frozenset[int] = frozenset()) -> Counter[int]:
        """What followed the longest end of `tokens` that the text has; never empty.

        This is back-off without discount: a longer context that was seen at all wins over a shorter one.
        """
        for length in range(min(self._order - 1, len(tokens)), -1, -1):
            found = self._followers.get(tuple(tokens[len(tokens) - length :]), Counter())
            allowed = Counter({token: count for token, count in found.items() if token not in forbidden})
            if allowed:
                return allowed
        return Counter({END: 1})


def pick(candidates: Counter[int], sampling: Sampling, random: Random) -> int:
    """One token of `candidates`: the most frequent at temperature 0 (of equals the first), else by chance."""
    ranked = sorted(candidates.items(), key=lambda item: (-item[1], item[0]))
    if sampling.temperature == 0:
        return ranked[0][0]
    if sampling.top_k:
        ranked = ranked[: sampling.top_k]
    top = math.log(ranked[0][1])
    weights = [math.exp((math.log(count) - top) / sampling.temperature) for _, count in ranked]
    weights = _nucleus(weights, sampling.top_p)
    return random.choices([token for token, _ in ranked[: len(weights)]], weights)[0]


def _nucleus(weights: list[float], top_p: float) -> list[float]:
    """The fewest of the largest weights that together make `top_p` of the whole; at least one."""
    wanted = top_p * sum(weights)
    reached = 0.0
    for kept, weight in enumerate(weights, 1):
        reached += weight
        if reached >= wanted:
            return weights[:kept]
    return weights

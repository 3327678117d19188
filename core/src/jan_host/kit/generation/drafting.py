"""Guesses at the tokens to come, out of the text itself, and whether it pays to compute them at once.

What was said before is often said again: names, quotations, code, fields of JSON. Where the last tokens stood
before, what followed them there is a draft of what comes now ("prompt lookup decoding", Saxena 2023). An
engine computes the draft in one run with the token that was chosen last, then lets its sampler choose at each
place in turn, as long as it chooses what the draft says. So the text is the one that would have come without,
and tokens that were guessed right cost next to nothing where a run mostly reads the model's weights.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from jan_host.kit.generation.prefixes import common_prefix

Tokens = npt.NDArray[np.int32]

_NOTHING: Final[Tokens] = np.empty(0, np.int32)
_FIRST_OPINION: Final = {2: 0.15, 3: 0.3, 4: 0.5, 5: 0.7}
"""How often a draft's token is right behind a match of so many tokens, before anything is known of a text.
About what a small model's stories gave; longer matches are right no more often."""
_LONGEST_MATCH: Final = max(_FIRST_OPINION)
_REACH: Final = 8192
"""How many tokens to look back."""
_MOST: Final = 7
"""Tokens of a draft."""
_KEPT: Final = 0.95
"""What a lesson counts for after the next one."""
_OPINION_COUNTS: Final = 2.0
"""Lessons that the first opinion counts for."""
_LEAST_GAIN: Final = 1.15
"""Tokens for the time, to those without a draft: what is expected is not sure."""
_FADES: Final = 0.0003
"""How much of what was learned of costs is forgotten with each run of one token."""
_FIRST_SLOPE: Final = 0.1
"""What each token more of a run costs, in runs of one, before it is known: little, so that it is tried."""


class RunCosts:
    """How long runs of several tokens of one sequence take, in runs of one token: learned, one for a model.

    Each size is learned by itself: kernels for a few tokens differ. Measured on two cores for 1, 2, 4 and 8
    tokens: 1, 1.1, 1.2, 1.4 with 135M weights of 32 bits, whose runs read weights most of the time; 1, 1.9,
    2.7, 4.4 with the same weights in 4 bits.
    """

    def __init__(self) -> None:
        self._single = 0.0
        self._known: dict[int, float] = {}
        """By the number of tokens."""

    def learn(self, tokens: int, seconds: float) -> None:
        """A run of so many tokens took so long."""
        if tokens == 1:
            self._single += 0.1 * (seconds - self._single) if self._single else seconds
            self._forget()
        elif self._single:
            latest = max(1.0, seconds / self._single)
            known = self._known.get(tokens, latest)
            self._known[tokens] = known + 0.3 * (latest - known)

    def of(self, tokens: int) -> float:
        """How many runs of one token a run of so many takes as long as; sizes not yet known seem cheap."""
        nearest = max((size for size in self._known if size <= tokens), default=1)
        return self._known.get(nearest, 1.0) + _FIRST_SLOPE * (tokens - nearest)

    def _forget(self) -> None:
        """Something else may have held a run up: what was learned fades, and is tried again."""
        for size, cost in self._known.items():
            self._known[size] = cost + _FADES * (1 + _FIRST_SLOPE * (size - 1) - cost)


class Drafter:
    """Drafts for one sequence, as long as they pay.

    It looks at what came after every draft that it found, also those that were too doubtful to be computed:
    so it knows how often they are right, and begins again when the text does.

    Args:
        costs: The model's.
    """

    def __init__(self, costs: RunCosts) -> None:
        self._costs = costs
        self._found = _NOTHING
        self._matched = 0
        self._end = 0
        """How long the sequence was when that was found."""
        self._right = {match: _OPINION_COUNTS * chance for match, chance in _FIRST_OPINION.items()}
        """Tokens that were guessed right, by the length of the match; fading."""
        self._guessed = dict.fromkeys(_FIRST_OPINION, _OPINION_COUNTS)
        """Tokens that were guessed."""

    def draft(self, tokens: Tokens, most: int) -> Tokens:
        """What to compute together with the last of `tokens`; often nothing.

        Args:
            tokens: All of the sequence.
            most: Tokens of the draft at most.
        """
        self._learn(tokens[self._end :])
        self._found, self._matched = find_draft(tokens, min(most, _MOST))
        self._end = len(tokens)
        return self._found[: self._worth(len(self._found))]

    def _learn(self, came: Tokens) -> None:
        """Note what came after the last draft."""
        size = min(len(self._found), len(came))
        if size:
            right = common_prefix(self._found[:size], came[:size])
            self._right[self._matched] = _KEPT * self._right[self._matched] + right
            self._guessed[self._matched] = _KEPT * self._guessed[self._matched] + min(right + 1, size)

    def _worth(self, size: int) -> int:
        """How many tokens of a draft give the most tokens for the time, as far as is known."""
        if not size:
            return 0
        chance = self._right[self._matched] / self._guessed[self._matched]
        best, most = 0, _LEAST_GAIN
        reached, expected = 1.0, 1.0
        for count in range(1, size + 1):
            reached *= chance
            expected += reached
            gain = expected / self._costs.of(1 + count)
            if gain > most:
                best, most = count, gain
        return best


def find_draft(tokens: Tokens, most: int) -> tuple[Tokens, int]:
    """What may follow `tokens`, as it followed their end before: where most of it matches, last.

    Args:
        tokens: A text, not empty.
        most: Tokens of the draft at most.

    Returns:
        The draft, or nothing, and how many of the last tokens stood before it, counted up to a few.
    """
    tokens = tokens[-_REACH:]
    places = np.flatnonzero(tokens[:-1] == tokens[-1])
    matched = 1
    while matched < _LONGEST_MATCH:
        longer = places[places >= matched]
        if len(longer):
            longer = longer[tokens[longer - matched] == tokens[-1 - matched]]
        if not len(longer):
            break
        places = longer
        matched += 1
    # A token alone is followed by too many others.
    if not len(places) or matched not in _FIRST_OPINION or most < 1:
        return _NOTHING, 0
    # A text that repeats its end is taken to go on so.
    return np.resize(tokens[places[-1] + 1 :], most), matched

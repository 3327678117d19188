"""The tokens that may still come next, and their scores."""

from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Ids = npt.NDArray[np.intp]


class Candidates:
    """Tokens and their scores; at first the whole vocabulary.

    Args:
        scores: A score (logit) for each token of the vocabulary; belongs to this object from now on.
    """

    __slots__ = ("_ids", "ordered", "scores")

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.ordered = False
        """Whether the best comes first."""
        self._ids: Ids | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def ids(self) -> Ids:
        """The tokens, in the order of `scores`."""
        return np.arange(len(self.scores)) if self._ids is None else self._ids

    def keep(self, places: Any) -> None:
        """Keep those at `places`: indices, a mask or a slice; in that order."""
        self._ids = self.ids[places] if self._ids is None else self._ids[places]
        self.scores = self.scores[places]

    def best(self, count: int) -> None:
        """Keep the `count` best, in order."""
        if count < len(self.scores):
            # The places of the best, in no order: far quicker than to sort a vocabulary.
            self.keep(np.argpartition(self.scores, -count)[-count:])
            self.ordered = False
        self.order()

    def order(self) -> None:
        """Bring them in order, the best first; equals stay as they are."""
        if not self.ordered:
            self.keep(np.argsort(-self.scores, kind="stable"))
            self.ordered = True

    def probabilities(self) -> npt.NDArray[np.float64]:
        """Their probabilities: softmax of the scores."""
        return softmax(self.scores)


def softmax(scores: Scores) -> npt.NDArray[np.float64]:
    """Probabilities by scores; equal ones where every score is minus infinity."""
    best = scores.max()
    if np.isneginf(best):
        return np.full(len(scores), 1.0 / len(scores))
    grown: npt.NDArray[np.float64] = np.exp((scores - best).astype(np.float64))
    grown /= grown.sum()
    return grown

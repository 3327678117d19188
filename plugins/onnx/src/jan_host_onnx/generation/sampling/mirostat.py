"""Mirostat (Basu et al. 2021): keeps the surprise of the text near a target, in both versions."""

import math

import numpy as np

from jan_host_onnx.generation.sampling.candidates import Candidates
from jan_host_onnx.generation.sampling.filters import Stage


class Mirostat:
    """Cuts candidates, and learns from each choice.

    Args:
        version: 1 estimates the vocabulary's distribution from the best candidates, 2 does without.
        tau: The surprise to keep, in bits.
        eta: How quickly it learns.
        considered: Candidates that version 1 estimates by (``m`` of the paper).
        vocabulary: The size of the vocabulary.
    """

    def __init__(self, version: int, tau: float, eta: float, considered: int, vocabulary: int) -> None:
        self._tau = tau
        self._eta = eta
        self._considered = considered
        self._vocabulary = vocabulary
        self._bound = 2 * tau
        self.cut: Stage = self._cut_by_estimate if version == 1 else self._cut_by_surprise

    def learn(self, probability: float) -> None:
        """The token with this probability, among those that were left, was chosen."""
        surprise = -math.log2(max(probability, 1e-300))
        self._bound -= self._eta * (surprise - self._tau)

    def _cut_by_estimate(self, candidates: Candidates) -> None:
        candidates.order()
        chances = candidates.probabilities()[: self._considered]
        ranks = np.arange(1, len(chances))
        spread = np.log((ranks + 1) / ranks)
        with np.errstate(divide="ignore", invalid="ignore"):
            fall = np.log(chances[:-1] / chances[1:])
        valid = np.isfinite(fall)
        slope = float((spread * fall)[valid].sum() / max((spread * spread)[valid].sum(), 1e-12))
        candidates.keep(slice(self._width(slope)))

    def _width(self, slope: float) -> int:
        excess = slope - 1
        try:
            ratio = (excess * 2**self._bound) / (1 - self._vocabulary**-excess)
            width = ratio ** (1 / slope)
        except (OverflowError, ZeroDivisionError):
            return self._vocabulary
        return self._vocabulary if isinstance(width, complex) else max(1, min(self._vocabulary, int(width)))

    def _cut_by_surprise(self, candidates: Candidates) -> None:
        candidates.order()
        surprise = -np.log2(np.maximum(candidates.probabilities(), 1e-300))
        over = np.flatnonzero(surprise > self._bound)
        candidates.keep(slice(max(1, int(over[0])) if len(over) else None))

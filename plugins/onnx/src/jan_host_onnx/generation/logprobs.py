"""Log probabilities of tokens, as the model gives them before any sampling option changes them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from jan_host import TokenLogprob, TopLogprob

from jan_host_onnx.generation.vocabulary import Vocabulary

Report = Callable[[int], TokenLogprob]
"""Tells of the token that was chosen."""


class Reporter:
    """Tells log probabilities.

    Args:
        vocabulary: The model's vocabulary.
        top: How many of the most probable tokens to tell beside the chosen one.
    """

    def __init__(self, vocabulary: Vocabulary, top: int) -> None:
        self._vocabulary = vocabulary
        self._top = top

    def prepare(self, scores: npt.NDArray[np.float32]) -> Report:
        """Note what the scores say, before they are changed; the result tells of a token by them."""
        known = scores.astype(np.float64)
        known -= known.max()
        known -= np.log(np.exp(known).sum())

        def report(token: int) -> TokenLogprob:
            text, data = self._spelled(token)
            top = [self._one(other, known) for other in self._best(known)]
            return TokenLogprob(
                token=text, logprob=float(known[token]), bytes=data, token_id=token, top_logprobs=top
            )

        return report

    def _best(self, known: npt.NDArray[np.float64]) -> list[int]:
        if not self._top:
            return []
        places = np.argpartition(known, -self._top)[-self._top :]
        best: list[int] = places[np.argsort(-known[places])].tolist()
        return best

    def _one(self, token: int, known: npt.NDArray[np.float64]) -> TopLogprob:
        text, data = self._spelled(token)
        return TopLogprob(token=text, logprob=float(known[token]), bytes=data, token_id=token)

    def _spelled(self, token: int) -> tuple[str, list[int]]:
        data = self._vocabulary.spelled(token)
        return data.decode("utf-8", "replace"), list(data)

"""What changes the scores of tokens before one is chosen: biases, bans, and later the masks of a grammar."""

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from jan_host.contract.errors import InvalidRequestError
from jan_host.contract.options import GenerationOptions
from jan_host.kit.generation.asking import check_ids

_MOST_DIGITS: Final = 32


class Adjust(Protocol):
    """Changes the scores of all tokens before one is chosen: the place for biases and masks."""

    def __call__(self, scores: npt.NDArray[np.float32], generated: int) -> None:
        """Change `scores` in place; `generated` is the number of tokens that were chosen before."""
        ...


class LogitBias:
    """OpenAI's ``logit_bias``: -100 forbids a token, everything else is added to its score."""

    def __init__(self, bias: dict[int, float]) -> None:
        self._ids = np.array(list(bias), np.int32)
        values = [-np.inf if value <= -100 else value for value in bias.values()]
        self._values = np.array(values, np.float32)

    def __call__(self, scores: npt.NDArray[np.float32], generated: int) -> None:
        """See `Adjust`."""
        scores[self._ids] += self._values


class NoEnd:
    """Forbids the end of the text, for ``ignore_eos`` or until ``min_tokens`` are generated."""

    def __init__(self, ends: npt.NDArray[np.int32], until: int | None) -> None:
        self._ends = ends
        self._until = until

    def __call__(self, scores: npt.NDArray[np.float32], generated: int) -> None:
        """See `Adjust`."""
        if self._until is None or generated < self._until:
            scores[self._ends] = -np.inf


def adjustments(options: GenerationOptions, ends: npt.NDArray[np.int32], vocabulary: int) -> list[Adjust]:
    """The adjustments that a request asks for.

    Args:
        options: The request.
        ends: The tokens that end a generation.
        vocabulary: How many tokens the model gives scores for.

    Raises:
        InvalidRequestError: ``logit_bias`` or ``stop_token_ids`` names a token that does not exist.
    """
    stops = options.stop_token_ids or ()
    check_ids(stops, vocabulary, "stop_token_ids")
    found: list[Adjust] = []
    biases = options.biases()
    if biases:
        found.append(LogitBias(_bias(biases, vocabulary)))
    if options.ignore_eos:
        found.append(NoEnd(ends, None))
    elif options.min_tokens:
        found.append(NoEnd(np.union1d(ends, np.array(stops, np.int32)), options.min_tokens))
    return found


def _bias(given: dict[str, float], vocabulary: int) -> dict[int, float]:
    bias = {}
    for key, value in given.items():
        # Python reads no number of thousands of digits.
        if not key.isascii() or not key.isdigit() or len(key) > _MOST_DIGITS or int(key) >= vocabulary:
            raise InvalidRequestError(
                f"{key!r} is not a token id of this model. Use ids from 0 to {vocabulary - 1} as keys.",
                param="logit_bias",
            )
        bias[int(key)] = value
    return bias

"""What every stepper of this engine has: seats for sequences, and the choice of their next tokens."""

import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from jan_host import Delta, EngineError, JanHostError
from jan_host.kit.generation import Job, Sequence

from jan_host_onnx.generation.runner import Scores
from jan_host_onnx.generation.sampling import Sampler
from jan_host_onnx.generation.vocabulary import Vocabulary

logger = logging.getLogger(__name__)


class Seated(Protocol):
    """A sequence, and what a stepper keeps for it."""

    sequence: Sequence[Sampler]


Seat = TypeVar("Seat", bound=Seated)


class Seats(Generic[Seat]):
    """Gives seats to sequences; the half of a `jan_host.kit.generation.Stepper` that computes nothing.

    Args:
        make: Makes a seat.
        most: Sequences at the same time.
        vocabulary: The model's.
    """

    def __init__(self, make: Callable[[Sequence[Sampler]], Seat], most: int, vocabulary: Vocabulary) -> None:
        self._make = make
        self._most = most
        self._vocabulary = vocabulary
        self._seats: list[Seat] = []
        self.working_for: tuple[Job[Sampler], ...] = ()
        """The jobs of the run that is going on."""

    @property
    def sequences(self) -> list[Sequence[Sampler]]:
        """Those it works on."""
        return [seat.sequence for seat in self._seats]

    def admit(self, sequence: Sequence[Sampler]) -> bool:
        """Give the sequence a seat; false when all are taken."""
        if len(self._seats) >= self._most:
            return False
        self._seats.append(self._make(sequence))
        return True

    def _next(self, sequence: Sequence[Sampler], scores: Scores) -> Delta | JanHostError | None:
        """What the next token makes known; whatever goes wrong in choosing it costs this sequence alone."""
        try:
            if sequence.generated == 0:
                sequence.begin()
            chosen = sequence.sampler.choose(scores, sequence.generated)
            return sequence.take(chosen.token, self._vocabulary, chosen.logprob)
        except JanHostError as error:
            return error
        except Exception:
            logger.exception("no token could be chosen")
            return EngineError("No token could be chosen. Send the request with fewer options of sampling.")

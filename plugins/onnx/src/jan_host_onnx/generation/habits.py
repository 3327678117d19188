"""What a decoder graph can do, found by trying: several sequences, prompts in pieces, writing in place.

Exports differ in ways that no name tells. A few tiny runs at load do, and show on the way that the graph
runs at all. What does not give the same scores as a sequence alone is not used, so that an answer never
depends on its neighbours.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from jan_host import EngineError

from jan_host_onnx.generation.cache import Cache, CacheStore, Piece
from jan_host_onnx.generation.runner import Runner, Scores

logger = logging.getLogger(__name__)

_LONG: Final = 9
_SHORT: Final = 4
_TOLERANCE: Final = 0.05
"""Of the scores' spread: int8 activations round by up to 0.02 of it, a wrong mask changes 0.4 and more."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What holds for a graph."""

    in_place: bool
    """The KV cache may be written in place."""
    batches: bool
    """Sequences of different lengths may be computed together."""
    pieces: bool
    """A prompt may be computed in pieces."""
    tells_each: bool
    """Scores are given behind several tokens of a run, not behind the last alone."""


def find_habits(runner: Runner, stores: dict[bool, CacheStore], vocabulary: int, *, shares: bool) -> Habits:
    """Try the graph.

    Args:
        runner: Runs it.
        stores: Makes caches that are written in place (``True``) and that are not.
        vocabulary: How many token ids there are.
        shares: Whether its attention is known to write in place.

    Raises:
        EngineError: It does not even run for one sequence.
    """
    trial = _Trial(runner, stores[False], vocabulary)
    before, expected = trial.alone()
    in_place = False
    if shares:
        sharing = _Trial(runner, stores[True], vocabulary)
        in_place = _like(_tried(sharing.together), expected)
        trial = sharing if in_place else trial
    batches = in_place or _like(_tried(trial.together), expected)
    pieces = _tried(lambda: trial.in_pieces(2))
    if pieces is None:
        pieces = _tried(lambda: trial.in_pieces(1))
    return Habits(
        in_place=in_place,
        batches=batches,
        pieces=pieces is not None and _like(pieces[-1:], expected[:1]),
        tells_each=pieces is not None and _like(pieces, np.concatenate((before[:1], expected[:1]))),
    )


class _Trial:
    """Two sequences of different lengths, whose next scores are computed in several ways."""

    def __init__(self, runner: Runner, store: CacheStore, vocabulary: int) -> None:
        self._runner = runner
        self._store = store
        ids = np.random.default_rng(7).integers(0, vocabulary, _LONG + _SHORT).astype(np.int32)
        self._prompts = (ids[:_LONG], ids[_LONG:])

    def alone(self) -> tuple[Scores, Scores]:
        """Each by itself: the scores behind the prompt but for its last token, and behind that."""
        before, last = [], []
        for prompt in self._prompts:
            cache = self._store.empty(len(prompt))
            before.append(self._runner.run(prompt[None, :-1], cache).copy())
            last.append(self._runner.run(prompt[None, -1:], cache).copy())
        return np.concatenate(before), np.concatenate(last)

    def together(self) -> Scores:
        """The prompts by themselves, then the last tokens of both in one run."""
        pieces = [Piece(self._begun(prompt), 0, len(prompt) - 1) for prompt in self._prompts]
        cache = self._store.gather(pieces)
        last = np.array([[prompt[-1]] for prompt in self._prompts])
        return self._runner.run(last, cache)

    def in_pieces(self, scored: int) -> Scores:
        """The longer one in pieces of several tokens; scores behind so many of the last ones."""
        prompt = self._prompts[0]
        cache = self._store.empty(len(prompt))
        self._runner.run(prompt[None, :3], cache)
        return self._runner.run(prompt[None, 3:], cache, scored)

    def _begun(self, prompt: npt.NDArray[np.int32]) -> Cache:
        cache = self._store.empty(len(prompt))
        self._runner.run(prompt[None, :-1], cache)
        return cache


def _tried(way: Callable[[], Scores]) -> Scores | None:
    """The scores, or nothing where the graph does not take it."""
    try:
        return way()
    except EngineError as error:
        logger.debug("the graph does not run this way: %s", error)
        return None


def _like(found: Scores | None, expected: Scores) -> bool:
    """Whether scores are the same but for rounding."""
    if found is None or found.shape != expected.shape:
        return False
    possible = np.isfinite(expected)  # a graph may make some tokens impossible
    if not possible.any() or (np.isfinite(found) != possible).any():
        return False
    known = expected[possible]
    return bool(np.abs(found[possible] - known).max() <= _TOLERANCE * np.ptp(known))

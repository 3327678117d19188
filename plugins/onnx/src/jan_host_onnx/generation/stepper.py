"""One step of a decoder graph for all sequences: the next token of each, and a piece of one prompt."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from jan_host import Delta, JanHostError
from jan_host.kit.batching import InterruptedRunError
from jan_host.kit.generation import Event, Sequence

from jan_host_onnx.generation.cache import Cache, CacheStore, Piece
from jan_host_onnx.generation.grouping import Grouping
from jan_host_onnx.generation.pace import Pace
from jan_host_onnx.generation.runner import Runner, Scores
from jan_host_onnx.generation.sampling import Sampler
from jan_host_onnx.generation.seats import Seats, ends
from jan_host_onnx.generation.shelf import Kept, Shelf
from jan_host_onnx.generation.vocabulary import Vocabulary

_WORTH_KEEPING: Final = 16
"""Tokens below which a prompt is computed sooner than a cache is copied."""
_PATIENCE: Final = 4
"""Every so many pieces of prompts, the next one is of the prompt that waits the longest."""


@dataclass(slots=True, eq=False)
class Seat:
    """A sequence and the row of a cache that holds its tokens; no cache before its prompt is begun."""

    sequence: Sequence[Sampler]
    cache: Cache | None = None
    row: int = 0

    @property
    def kept(self) -> Kept | None:
        """What it has computed until now."""
        if self.cache is None:
            return None
        return Kept(self.sequence.tokens[: self.sequence.past], self.cache, self.row)


class DecoderStepper(Seats[Seat]):
    """Works on the sequences that it admits; a `jan_host.kit.generation.Stepper`.

    Args:
        runner: Runs the graph.
        store: Makes caches.
        vocabulary: The model's.
        grouping: Who is computed together.
        pace: How much of a prompt is computed at once.
        seats: Sequences at the same time.
        shelf: Keeps what ended sequences have computed.
    """

    def __init__(
        self,
        runner: Runner,
        store: CacheStore,
        vocabulary: Vocabulary,
        *,
        grouping: Grouping,
        pace: Pace,
        seats: int,
        shelf: Shelf,
    ) -> None:
        super().__init__(Seat, seats, vocabulary)
        self._runner = runner
        self._store = store
        self._grouping = grouping
        self._pace = pace
        self._shelf = shelf
        self._pieces_computed = 0

    def drop(self, sequence: Sequence[Sampler], *, failed: bool) -> None:
        """Take the sequence's seat back."""
        seat = next(seat for seat in self._seats if seat.sequence is sequence)
        self._leave(seat, keep=not failed)
        if failed:
            self._shelf.clear()

    def interrupt(self) -> None:
        """Make the run that is going on end early."""
        self._runner.interrupt()

    def step(self) -> list[Event]:
        """The next token of every generating sequence, then a piece of one prompt."""
        generating = [seat for seat in self._seats if seat.sequence.is_generating]
        events = [
            event
            for group in self._grouping.groups(generating)
            for event in self._guarded(group, self._next_tokens)
        ]
        reading = [seat for seat in self._seats if not seat.sequence.is_generating]
        if reading:
            streams = len(generating)
            events += self._guarded([self._choose(reading)], lambda seats: self._read(seats[0], streams))
        return events

    def _guarded(self, seats: list[Seat], work: Callable[[list[Seat]], list[Event]]) -> Iterator[Event]:
        """Run `work`; what fails together is tried one by one, so that nobody fails for others."""
        self.working_for = tuple({seat.sequence.job for seat in seats})
        if all(job.cancelled for job in self.working_for):
            return  # it was cancelled before anybody could see that this run is for it
        try:
            yield from work(seats)
        except InterruptedRunError:
            return
        except JanHostError as error:
            if len(seats) == 1:
                self._leave(seats[0], keep=False)
                yield seats[0].sequence.job, error
            else:
                for seat in seats:
                    yield from self._guarded([seat], work)
        finally:
            self.working_for = ()

    def _next_tokens(self, seats: list[Seat]) -> list[Event]:
        cache = self._together(seats)
        ids = np.array([seat.sequence.chunk(1) for seat in seats])
        scores = self._runner.run(ids, cache)
        return self._advance(seats, scores, 1)

    def _together(self, seats: list[Seat]) -> Cache:
        """The cache whose rows are exactly these sequences, in order, with room for a token each."""
        cache = seats[0].cache
        fits = cache is not None and cache.rows == len(seats)
        fits = fits and all(seat.cache is cache and seat.row == row for row, seat in enumerate(seats))
        if cache is not None and fits and not (cache.in_place and cache.span >= cache.capacity):
            return cache
        pieces = [kept.piece(len(kept.tokens)) for seat in seats if (kept := seat.kept) is not None]
        cache = self._store.gather(pieces)
        for row, seat in enumerate(seats):
            seat.cache, seat.row = cache, row
        return cache

    def _choose(self, reading: list[Seat]) -> Seat:
        """Whose prompt goes on: the one with the least left, and now and then the one that came first."""
        self._pieces_computed += 1
        if self._pieces_computed % _PATIENCE == 0:
            return reading[0]
        return min(reading, key=lambda seat: seat.sequence.pending)

    def _read(self, seat: Seat, streams: int) -> list[Event]:
        sequence = seat.sequence
        if seat.cache is None:
            seat.cache = self._begin(seat)
        size = self._pace.size(sequence.pending, streams)
        cache = seat.cache
        if cache.in_place and cache.span + size > cache.capacity:
            cache = self._store.gather([Piece(cache, 0, sequence.past)], size)
            seat.cache = cache
        started = time.perf_counter()
        scores = self._runner.run(sequence.chunk(size)[None], cache)
        self._pace.learn(size, time.perf_counter() - started)
        return self._advance([seat], scores, size)

    def _begin(self, seat: Seat) -> Cache:
        """A cache with as much of the prompt as anybody has computed."""
        sequence = seat.sequence
        running = [kept for other in self._seats if other is not seat and (kept := other.kept) is not None]
        # The last token must be computed: its scores are needed.
        best, shared = self._shelf.best(sequence.tokens[:-1], running)
        if not self._pace.pieces and shared < sequence.pending - 1:
            best = None  # the rest of the prompt would be a piece
        if best is None or shared < _WORTH_KEEPING:
            return self._store.empty(min(sequence.pending, self._pace.most))
        sequence.past = shared
        return self._store.gather([best.piece(shared)], self._pace.most)

    def _advance(self, seats: list[Seat], scores: Scores, size: int) -> list[Event]:
        events: list[Event] = []
        for seat, row in zip(seats, scores, strict=True):
            sequence = seat.sequence
            sequence.advance(size)
            if sequence.pending:
                continue
            found = self._next(sequence, row)
            if found is not None:
                events.append((sequence.job, found))
                if ends(found):
                    self._leave(seat, keep=isinstance(found, Delta))
        return events

    def _leave(self, seat: Seat, *, keep: bool) -> None:
        self._seats.remove(seat)
        kept = seat.kept
        if not keep or kept is None or len(kept.tokens) < _WORTH_KEEPING:
            return
        # A copy of its own, since the others of its cache go on.
        cache = self._store.gather([kept.piece(len(kept.tokens))])
        self._shelf.keep(Kept(kept.tokens.copy(), cache, 0))

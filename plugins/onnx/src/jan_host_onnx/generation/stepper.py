"""One step of a decoder graph for all sequences: the next token of each, and a piece of one prompt."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt
from jan_host import Delta, JanHostError
from jan_host.kit.batching import InterruptedRunError
from jan_host.kit.generation import Drafter, Event, RunCosts, Sequence, is_last

from jan_host_onnx.generation.cache import Cache, CacheStore, Piece
from jan_host_onnx.generation.grouping import Grouping
from jan_host_onnx.generation.pace import Pace
from jan_host_onnx.generation.runner import Runner, Scores
from jan_host_onnx.generation.sampling import Sampler
from jan_host_onnx.generation.seats import Seats
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
    drafter: Drafter
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
        drafts: Whether tokens may be guessed and computed together with the one before them.
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
        drafts: bool,
    ) -> None:
        super().__init__(self._seat, seats, vocabulary)
        self._runner = runner
        self._store = store
        self._grouping = grouping
        self._pace = pace
        self._shelf = shelf
        self._drafts = drafts
        self._costs = RunCosts()
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
        generating = [seat for seat in self._seats if seat.sequence.generated]
        events = [
            event
            for group in self._grouping.groups(generating)
            for event in self._guarded(group, self._next_tokens)
        ]
        reading = [seat for seat in self._seats if not seat.sequence.generated]
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
        if len(seats) == 1 and self._pace.pieces:
            return self._go_on(seats[0])
        cache = self._together(seats, 1)
        ids = np.array([seat.sequence.chunk(1) for seat in seats])
        scores = self._runner.run(ids, cache)
        return self._advance(seats, scores, 1)

    def _go_on(self, seat: Seat) -> list[Event]:
        """One run of a sequence by itself: the tokens that are certain, and those that are guessed."""
        sequence = seat.sequence
        known = sequence.chunk(min(sequence.pending, self._pace.most))
        draft = self._draft(seat)
        cache = self._together([seat], len(known) + len(draft))
        started = time.perf_counter()
        scores = self._runner.run(np.concatenate((known, draft))[None], cache, 1 + len(draft))
        seconds = time.perf_counter() - started
        sequence.advance(len(known))
        events = self._choose_along(seat, scores, draft)
        if seat in self._seats:
            started = time.perf_counter()
            seat.cache = self._store.cut(cache, sequence.past)
            self._costs.learn(len(known) + len(draft), seconds + time.perf_counter() - started)
        return events

    def _draft(self, seat: Seat) -> npt.NDArray[np.int32]:
        """What may follow the last token of a sequence; nothing that would be more than it may have."""
        sequence = seat.sequence
        if not self._drafts or sequence.pending > 1:
            return sequence.tokens[:0]
        return seat.drafter.draft(sequence.tokens, sequence.limit - sequence.generated - 1)

    def _choose_along(self, seat: Seat, scores: Scores, draft: npt.NDArray[np.int32]) -> list[Event]:
        """Choose behind each token of a draft, as long as what was chosen is the next of them."""
        sequence = seat.sequence
        events: list[Event] = []
        for row, guess in zip_longest(scores, draft.tolist()):
            events += self._choose_next(seat, row)
            if seat not in self._seats or sequence.pending != 1 or sequence.tokens[-1] != guess:
                break
            sequence.advance(1)
        return events

    def _together(self, seats: list[Seat], room: int) -> Cache:
        """The cache whose rows are exactly these sequences, in order, with room for so many tokens each."""
        cache = seats[0].cache
        fits = cache is not None and cache.rows == len(seats)
        fits = fits and all(seat.cache is cache and seat.row == row for row, seat in enumerate(seats))
        if cache is not None and fits and not (cache.in_place and cache.span + room > cache.capacity):
            return cache
        pieces = [kept.piece(len(kept.tokens)) for seat in seats if (kept := seat.kept) is not None]
        cache = self._store.gather(pieces, room)
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
        if best is None or shared < _WORTH_KEEPING or sequence.is_fresh:
            return self._store.empty(min(sequence.pending, self._pace.most))
        sequence.past = shared
        return self._store.gather([best.piece(shared)], self._pace.most)

    def _advance(self, seats: list[Seat], scores: Scores, size: int) -> list[Event]:
        events: list[Event] = []
        for seat, row in zip(seats, scores, strict=True):
            seat.sequence.advance(size)
            events += self._choose_next(seat, row)
        return events

    def _choose_next(self, seat: Seat, scores: Scores) -> list[Event]:
        """What the next token makes known, if all before it is computed."""
        if seat.sequence.pending:
            return []
        found = self._next(seat.sequence, scores)
        if found is None:
            return []
        if is_last(found):
            self._leave(seat, keep=isinstance(found, Delta))
        return [(seat.sequence.job, found)]

    def _seat(self, sequence: Sequence[Sampler]) -> Seat:
        return Seat(sequence, Drafter(self._costs))

    def _leave(self, seat: Seat, *, keep: bool) -> None:
        self._seats.remove(seat)
        kept = seat.kept
        if not keep or kept is None or len(kept.tokens) < _WORTH_KEEPING:
            return
        if kept.cache.rows > 1:  # the others of its cache go on
            kept = Kept(kept.tokens, self._store.gather([kept.piece(len(kept.tokens))]), 0)
        self._shelf.keep(Kept(kept.tokens.copy(), kept.cache, kept.row))

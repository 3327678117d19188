"""The texts that wait: whose turn it is, and which of them are computed together.

A run takes texts of like lengths where each is filled up to the longest, and the requests take turns in
naming the first text of a run, so that a short request does not wait behind a long one.
"""

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from jan_host.kit.batching.texts import Limits, Tokens

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Job(Generic[Result]):
    """A request's texts and what has come of them."""

    done: "asyncio.Future[None]"
    results: list[Result | None]
    left: int
    """Texts without a result."""
    waiting: "deque[Item[Result]]" = field(default_factory=deque)
    """Its texts, the longest first; those that were taken as another's company are skipped."""
    gone: bool = False
    """Nobody waits for it any more."""


@dataclass(slots=True, eq=False)
class Item(Generic[Result]):
    """One text of a job."""

    job: Job[Result]
    index: int
    tokens: Tokens
    order: tuple[int, int]
    """Its length, and a number of its own."""
    taken: bool = False


class Waiting(Generic[Result]):
    """The queue of a model. Used by one thread at a time.

    Args:
        limits: Of runs.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sorted: list[tuple[tuple[int, int], Item[Result]]] = []
        self._jobs: deque[Job[Result]] = deque()
        self._count = 0

    def __len__(self) -> int:
        """How many texts wait."""
        return len(self._sorted)

    def add(self, texts: Sequence[Tokens], done: "asyncio.Future[None]") -> Job[Result]:
        """Put a request's texts into the queue; `done` is what waits for them."""
        job: Job[Result] = Job(done, [None] * len(texts), len(texts))
        items = [Item(job, index, tokens, self._order_of(tokens)) for index, tokens in enumerate(texts)]
        job.waiting.extend(sorted(items, key=lambda item: item.order, reverse=True))
        if len(items) > len(self._sorted):
            self._sorted = sorted([*self._sorted, *((item.order, item) for item in items)], key=_order)
        else:
            for item in items:
                insort(self._sorted, (item.order, item), key=_order)
        self._jobs.append(job)
        return job

    def drop(self, job: Job[Result]) -> None:
        """Forget the texts of a job that still wait."""
        job.waiting.clear()
        self._sorted = [entry for entry in self._sorted if entry[1].job is not job]
        self._jobs = deque(other for other in self._jobs if other is not job)

    def take(self) -> list[Item[Result]]:
        """The next run: the longest waiting text of the request whose turn it is, and others of like length.

        Empty when nothing waits.
        """
        first = self._next_item()
        if first is None:
            return []
        start = bisect_left(self._sorted, first.order, key=_order)
        low, high = self._window(start)
        batch = [item for _, item in self._sorted[low:high]]
        del self._sorted[low:high]
        for item in batch:
            item.taken = True
        return batch

    def _order_of(self, tokens: Tokens) -> tuple[int, int]:
        self._count += 1
        return len(tokens.ids), self._count

    def _next_item(self) -> Item[Result] | None:
        while self._jobs:
            job = self._jobs.popleft()
            while job.waiting and job.waiting[0].taken:
                job.waiting.popleft()
            if job.waiting:
                self._jobs.append(job)
                return job.waiting.popleft()
        return None

    def _window(self, start: int) -> tuple[int, int]:
        """The part of the sorted texts around `start` that makes one run: shorter ones first, then longer."""
        low, high = start, start + 1
        while low > 0 and self._fits(low - 1, high):
            low -= 1
        while high < len(self._sorted) and self._fits(low, high + 1):
            high += 1
        return low, high

    def _fits(self, low: int, high: int) -> bool:
        count, limits = high - low, self._limits
        if limits.fill is None:
            size = sum(order[0] for order, _ in self._sorted[low:high])
            return count <= limits.texts and size <= limits.tokens
        shortest, longest = self._sorted[low][0][0], self._sorted[high - 1][0][0]
        alike = longest - shortest <= limits.fill
        return alike and count <= limits.texts and count * longest <= limits.tokens


def _order(entry: tuple[tuple[int, int], object]) -> tuple[int, int]:
    return entry[0]

"""Texts of many requests are computed together: what waits while one run computes is the next run.

Nothing waits for company: a lone text is run at once. A run takes texts of like lengths where
each is filled up to the longest, and the requests take turns in naming the first text of a run, so
that a short request does not wait behind a long one.
"""

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from jan_host.contract.errors import TooManyRequestsError, UnavailableError

Result = TypeVar("Result")

_FILLED: Final = 2.0
"""The longest text of a run is at most this many times as long as the shortest, short ones apart."""
_SHORT: Final = 16
"""Tokens below which texts count as of one length: a run costs as much with fewer."""
_RETRY_SECONDS: Final = 1.0


class InterruptedRunError(Exception):
    """A run was ended early, since nobody waits for it; raised by `compute` of a `Batcher`."""


class Tokens(NamedTuple):
    """A text or pair as a model reads it."""

    ids: Sequence[int]
    type_ids: Sequence[int]
    """Which of two texts a token belongs to."""


class Limits(NamedTuple):
    """What one run and the queue may hold."""

    texts: int
    tokens: int
    """Filling included. One text is always run."""
    queue: int
    """Texts that may wait."""
    filled: bool = True
    """Whether short texts of a run are filled up to the longest."""


@dataclass(slots=True, eq=False)
class _Job(Generic[Result]):
    """A request's texts and what has come of them."""

    done: "asyncio.Future[None]"
    results: list[Result | None]
    left: int
    """Texts without a result."""
    waiting: "deque[_Item[Result]]" = field(default_factory=deque)
    """Its texts, the longest first; those that were taken as another's company are skipped."""
    gone: bool = False
    """Nobody waits for it any more."""


@dataclass(slots=True, eq=False)
class _Item(Generic[Result]):
    """One text of a job."""

    job: _Job[Result]
    index: int
    tokens: Tokens
    order: tuple[int, int]
    """Its length, and a number of its own."""
    taken: bool = False


class Batcher(Generic[Result]):
    """Runs texts on a thread of its own, one run at a time. Its methods are called on one event loop.

    Args:
        compute: Runs some texts and gives a result for each; called on the thread.
        limits: Of runs and of the queue.
        interrupt: Makes the run that is going on, or the next one, end with `InterruptedRunError`; called on
            the loop. ``None``: runs can't be ended early.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Tokens]], Sequence[Result]],
        limits: Limits,
        interrupt: Callable[[], None] | None = None,
    ) -> None:
        self._compute = compute
        self._limits = limits
        self._interrupt = interrupt
        self._running: Sequence[_Item[Result]] = ()
        self._thread = ThreadPoolExecutor(1, "jan-host-batches")
        self._sorted: list[tuple[tuple[int, int], _Item[Result]]] = []
        self._jobs: deque[_Job[Result]] = deque()
        self._count = 0
        self._runner: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self, texts: Sequence[Tokens]) -> list[Result]:
        """A result for each text, in their order. Cancelling it drops those that still wait, and ends a run
        that is for them alone.

        Raises:
            TooManyRequestsError: Too many texts wait already.
            JanHostError: What `compute` raised for one of these texts.
        """
        if self._closed:
            raise UnavailableError("The model is being stopped. Send the request again.")
        if len(self._sorted) >= max(1, self._limits.queue):
            raise TooManyRequestsError(
                f"{len(self._sorted)} texts wait for this model already. Try again in a moment.",
                retry_after=_RETRY_SECONDS,
            )
        if not texts:
            return []
        job = self._enqueue(texts)
        try:
            await job.done
        finally:
            self._drop(job)
        return [result for result in job.results if result is not None]

    async def close(self) -> None:
        """End the thread, after the run that it is in."""
        self._closed = True
        if self._runner is not None:
            await asyncio.wait([self._runner])
        await asyncio.to_thread(self._thread.shutdown)

    def _enqueue(self, texts: Sequence[Tokens]) -> _Job[Result]:
        job: _Job[Result] = _Job(asyncio.get_running_loop().create_future(), [None] * len(texts), len(texts))
        for index, tokens in enumerate(texts):
            self._count += 1
            item = _Item(job, index, tokens, (len(tokens.ids), self._count))
            job.waiting.append(item)
        job.waiting = deque(sorted(job.waiting, key=lambda item: item.order, reverse=True))
        if len(texts) > len(self._sorted):
            self._sorted = sorted([*self._sorted, *((item.order, item) for item in job.waiting)], key=_order)
        else:
            for item in job.waiting:
                insort(self._sorted, (item.order, item), key=_order)
        self._jobs.append(job)
        if self._runner is None:
            self._runner = asyncio.ensure_future(self._work())
        return job

    def _drop(self, job: _Job[Result]) -> None:
        if job.left:
            job.gone = True
            job.waiting.clear()
            self._sorted = [entry for entry in self._sorted if entry[1].job is not job]
            self._jobs = deque(other for other in self._jobs if other is not job)
            if self._interrupt and self._running and all(item.job.gone for item in self._running):
                self._interrupt()

    async def _work(self) -> None:
        try:
            while batch := self._next_batch():
                await self._compute_all(batch)
        finally:
            self._runner = None

    async def _compute_all(self, batch: Sequence[_Item[Result]]) -> None:
        batch = [item for item in batch if not item.job.gone]
        if not batch:
            return
        try:
            results = await self._run(batch)
        except InterruptedRunError:
            await self._compute_all(batch)  # it may have been meant for the run before
        except Exception as error:  # whatever a model does costs the text that is to blame, and no other
            if len(batch) > 1:
                for item in batch:
                    await self._compute_all([item])
            elif not batch[0].job.done.done():
                batch[0].job.done.set_exception(error)
        else:
            for item, result in zip(batch, results, strict=True):
                _deliver(item, result)

    async def _run(self, batch: Sequence[_Item[Result]]) -> Sequence[Result]:
        texts = [item.tokens for item in batch]
        self._running = batch
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, texts)
        finally:
            self._running = ()

    def _next_batch(self) -> list[_Item[Result]]:
        """The longest waiting text of the request whose turn it is, and others of like length."""
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

    def _next_item(self) -> _Item[Result] | None:
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
        count = high - low
        if not self._limits.filled:
            size = sum(order[0] for order, _ in self._sorted[low:high])
            return count <= self._limits.texts and size <= self._limits.tokens
        shortest, longest = self._sorted[low][0][0], self._sorted[high - 1][0][0]
        alike = longest <= max(_SHORT, shortest * _FILLED)
        return alike and count <= self._limits.texts and count * longest <= self._limits.tokens


def _deliver(item: _Item[Result], result: Result) -> None:
    job = item.job
    job.results[item.index] = result
    job.left -= 1
    if not job.left and not job.done.done():
        job.done.set_result(None)


def _order(entry: tuple[tuple[int, int], object]) -> tuple[int, int]:
    return entry[0]

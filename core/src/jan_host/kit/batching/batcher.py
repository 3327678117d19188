"""Threads that compute what waits, each one run at a time.

A thread takes its next run itself: the event loop hears of answers alone, and a run does not wait until the
loop has time to name the next one.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from jan_host.contract.errors import TooManyRequestsError, UnavailableError
from jan_host.kit.batching.texts import Limits, Tokens
from jan_host.kit.batching.waiting import Item, Job, Waiting

Result = TypeVar("Result")

_RETRY_SECONDS: Final = 1.0


class InterruptedRunError(Exception):
    """A run was ended early, since nobody waits for it; raised by `Lane.compute`."""


@dataclass(frozen=True, slots=True, eq=False)
class Lane(Generic[Result]):
    """What computes one run at a time."""

    compute: Callable[[Sequence[Tokens]], Sequence[Result]]
    """Runs some texts and gives a result for each; called on one thread at a time."""
    interrupt: Callable[[], None] | None = None
    """Makes the run that is going on, or the next one, end with `InterruptedRunError`; called on the loop.
    ``None``: runs can't be ended early."""


class Batcher(Generic[Result]):
    """Runs texts on threads of its own. Its methods are called on one event loop.

    Args:
        lanes: As many runs as may be computed at the same time.
        limits: Of runs and of the queue.
    """

    def __init__(self, lanes: Iterable[Lane[Result]], limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        """Held where the queue, the jobs in it and what runs are looked at or changed."""
        self._waiting: Waiting[Result] = Waiting(limits)
        self._idle = list(lanes)
        self._count = self._most = len(self._idle)
        self._running: dict[Lane[Result], Sequence[Item[Result]]] = {}
        self._threads = ThreadPoolExecutor(self._count, "jan-host-batches")
        self._closed = False

    async def run(self, texts: Sequence[Tokens]) -> list[Result]:
        """A result for each text, in their order. Cancelling it drops those that still wait, and ends a run
        that is for them alone.

        Raises:
            TooManyRequestsError: Too many texts wait already.
            JanHostError: What `Lane.compute` raised for one of these texts.
        """
        if self._closed:
            raise UnavailableError("The model is being stopped. Send the request again.")
        if not texts:
            return []
        job = self._enqueue(texts)
        try:
            await job.done
        finally:
            self._drop(job)
        return [result for result in job.results if result is not None]

    def use_lanes(self, count: int | None) -> None:
        """Compute at most so many runs at the same time from now on, one at least; ``None``: on all lanes."""
        with self._lock:
            self._most = self._count if count is None else min(max(1, count), self._count)
            self._start(len(self._waiting))

    async def close(self) -> None:
        """End the threads, after what still waits."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)

    def _enqueue(self, texts: Sequence[Tokens]) -> Job[Result]:
        with self._lock:
            if len(self._waiting) >= max(1, self._limits.queue):
                raise TooManyRequestsError(
                    f"{len(self._waiting)} texts wait for this model already. Try again in a moment.",
                    retry_after=_RETRY_SECONDS,
                )
            job = self._waiting.add(texts, asyncio.get_running_loop().create_future())
            self._start(len(texts))
        return job

    def _start(self, texts: int) -> None:
        """Begin to compute on as many lanes as may, and have something to do."""
        for _ in range(min(texts, self._most - self._working)):
            self._threads.submit(self._work, self._idle.pop())

    @property
    def _working(self) -> int:
        return self._count - len(self._idle)

    def _drop(self, job: Job[Result]) -> None:
        with self._lock:
            if not job.left:
                return
            job.gone = True
            self._waiting.drop(job)
            vain = [
                lane
                for lane, batch in self._running.items()
                if batch and all(item.job.gone for item in batch)
            ]
        for lane in vain:
            if lane.interrupt is not None:
                lane.interrupt()

    def _work(self, lane: Lane[Result]) -> None:
        """Compute on this thread until nothing waits."""
        while batch := self._take(lane):
            self._compute(lane, batch)

    def _take(self, lane: Lane[Result]) -> Sequence[Item[Result]]:
        with self._lock:
            batch = self._waiting.take() if self._working <= self._most else []
            if not batch:
                self._running.pop(lane, None)
                self._idle.append(lane)
            return batch

    def _compute(self, lane: Lane[Result], batch: Sequence[Item[Result]]) -> None:
        with self._lock:
            batch = self._running[lane] = [item for item in batch if not item.job.gone]
        if not batch:
            return
        try:
            found = list(zip(batch, lane.compute([item.tokens for item in batch]), strict=True))
        except InterruptedRunError:
            self._compute(lane, batch)  # it may have been meant for the run before
        except BaseException as error:  # whatever a model does costs the text that is to blame, and no other
            if len(batch) > 1:
                for item in batch:
                    self._compute(lane, [item])
            else:
                _tell(batch[0].job, error)
        else:
            self._deliver(found)

    def _deliver(self, found: Sequence[tuple[Item[Result], Result]]) -> None:
        whole = []
        with self._lock:
            for item, result in found:
                item.job.results[item.index] = result
                item.job.left -= 1
                if not item.job.left:
                    whole.append(item.job)
        for job in whole:
            _tell(job, None)


def _tell(job: Job[Result], error: BaseException | None) -> None:
    """Wake who waits for a job; called on any thread."""
    job.done.get_loop().call_soon_threadsafe(_end, job.done, error)


def _end(done: "asyncio.Future[None]", error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)

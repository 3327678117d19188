"""The compute thread: it takes requests from the event loop, and sends back what each step made known."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from collections.abc import Sequence as Items
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from jan_host.contract.errors import EngineError, JanHostError, TooManyRequestsError, UnavailableError
from jan_host.contract.generation import Delta
from jan_host.kit.generation.delivery import TOGETHER_SECONDS, Delivery, Event
from jan_host.kit.generation.jobs import Job
from jan_host.kit.generation.sequences import Sequence

_LOG = logging.getLogger(__name__)


class Stepper(Protocol):
    """Computes one step after the other for the sequences that it was given.

    Only `interrupt` and `working_for` are used from another thread than the compute thread.
    """

    @property
    def sequences(self) -> Items[Sequence[Any]]:
        """Those it works on."""
        ...

    @property
    def working_for(self) -> Items[Job[Any]]:
        """The jobs that most of the step that is being computed is for; nothing between steps.

        When all of them are given up, the step is interrupted.
        """
        ...

    def admit(self, sequence: Sequence[Any]) -> bool:
        """Take a sequence on; false when there is no room for it now."""
        ...

    def step(self) -> list[Event]:
        """Compute; give what became known, in order. A sequence that ended is no longer among `sequences`."""
        ...

    def drop(self, sequence: Sequence[Any], *, failed: bool) -> None:
        """Let go of a sequence that was given up; after a failure nothing of its state may be used again."""
        ...

    def interrupt(self) -> None:
        """Make the step that is being computed end soon, without a result."""
        ...


class Scheduler:
    """Queues jobs for a `Stepper`. Public methods belong to the event loop, the others to the thread.

    Args:
        stepper: What computes; the thread owns it from now on.
        workers: Sequences that it works on at the same time.
        max_queue: Requests that may wait beside those that are worked on.
        name: The thread's name.
        together: Seconds within which tokens are told together; see `Delivery`.
    """

    def __init__(
        self,
        stepper: Stepper,
        *,
        workers: int,
        max_queue: int,
        name: str,
        together: float = TOGETHER_SECONDS,
    ) -> None:
        self._stepper = stepper
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting: deque[Sequence[Any]] = deque()
        self._closing = False
        self._delivery = Delivery(asyncio.get_running_loop(), together)
        self._open = 0
        self._most_open = workers + max_queue
        self._workers = workers
        self._mean_seconds = 1.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Job[Any]) -> AsyncGenerator[Delta, None]:
        """Work on a job and yield its deltas; closing the iterator cancels it.

        Raises:
            TooManyRequestsError: Too many requests wait already.
            EngineError: The model failed on this job.
        """
        self._reserve()
        started = time.monotonic()
        try:
            self._commands.put(partial(self._waiting.extend, job.choices))
            ended = 0
            while ended < len(job.choices):
                item = await job.mailbox.get()
                if isinstance(item, JanHostError):
                    raise item
                ended += item.finish_reason is not None
                yield item
            self._mean_seconds += 0.1 * (time.monotonic() - started - self._mean_seconds)
        finally:
            self._open -= 1
            if job.open_choices:
                self._cancel(job)

    async def close(self) -> None:
        """End the thread, and let go of the stepper; jobs that are still there fail."""
        self._commands.put(self._close)
        self._stepper.interrupt()
        await asyncio.to_thread(self._thread.join)
        del self._stepper  # its memory goes with the last reference

    def _reserve(self) -> None:
        if self._closing:
            raise UnavailableError("The model is being unloaded. Send the request again in a moment.")
        if self._open >= self._most_open:
            wait = max(1.0, self._mean_seconds * (self._open - self._workers) / self._workers)
            raise TooManyRequestsError(
                f"{self._open} requests are running or waiting already. Come back in {wait:.0f} seconds.",
                retry_after=wait,
            )
        self._open += 1

    def _cancel(self, job: Job[Any]) -> None:
        job.cancelled = True
        if self._closing:
            return
        self._commands.put(_wake)
        working_for = self._stepper.working_for
        if working_for and all(other.cancelled for other in working_for):
            self._stepper.interrupt()

    # From here on: the compute thread.

    def _run(self) -> None:
        while True:
            self._obey()
            if self._closing:
                break
            self._drop_cancelled()
            self._admit()
            was_steady = self._is_steady()
            if not was_steady:
                self._delivery.hand_over()  # the next step may be a long one
            try:
                events = self._stepper.step()
            except Exception:
                _LOG.exception("a step of the model failed")
                events = self._fail_all(EngineError("The model failed unexpectedly. Send the request again."))
            self._settle(events)
            self._delivery.step(events, may_wait=was_steady and self._is_steady())
        events = self._fail_all(UnavailableError("The model was unloaded. Send the request again."))
        self._delivery.step(events, may_wait=False)

    def _obey(self) -> None:
        """Carry out what the event loop wants; wait for it when there is nothing else to do."""
        idle = not self._waiting and not self._stepper.sequences
        with suppress(Empty):
            while True:
                self._commands.get(block=idle)()
                idle = False

    def _close(self) -> None:
        self._closing = True

    def _drop_cancelled(self) -> None:
        for sequence in list(self._stepper.sequences):
            if sequence.job.cancelled:
                self._stepper.drop(sequence, failed=False)
        if any(sequence.job.cancelled for sequence in self._waiting):
            self._waiting = deque(s for s in self._waiting if not s.job.cancelled)

    def _admit(self) -> None:
        while self._waiting and self._stepper.admit(self._waiting[0]):
            times = self._waiting.popleft().job.times
            times.started = times.started or time.perf_counter()

    def _is_steady(self) -> bool:
        """Whether all that is to be done is to go on with answers, token by token."""
        sequences = self._stepper.sequences
        return bool(sequences) and all(each.is_generating for each in sequences)

    def _settle(self, events: list[Event]) -> None:
        for job, item in events:
            if isinstance(item, JanHostError):
                job.cancelled = True  # its other choices end with it

    def _fail_all(self, error: JanHostError) -> list[Event]:
        jobs = dict.fromkeys(_jobs([*self._stepper.sequences, *self._waiting]))
        self._waiting.clear()
        for sequence in list(self._stepper.sequences):
            self._stepper.drop(sequence, failed=True)
        return [(job, error) for job in jobs]


def _jobs(sequences: Iterable[Sequence[Any]]) -> Iterable[Job[Any]]:
    return (sequence.job for sequence in sequences)


def _wake() -> None:
    """A command without a content: the thread looks around."""

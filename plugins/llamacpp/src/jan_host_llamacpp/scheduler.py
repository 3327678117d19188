"""The compute thread: it takes requests from the event loop, and sends back what each step made known."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from jan_host import Delta, EngineError, JanHostError, TooManyRequestsError, UnavailableError

from jan_host_llamacpp.kv import KvCache
from jan_host_llamacpp.native import NativeContext
from jan_host_llamacpp.sequence import Job, Sequence
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.stepper import Event, Stepper
from jan_host_llamacpp.vocab import Vocab

_LOG = logging.getLogger(__name__)


class Scheduler:
    """Continuous batching. Public methods belong to the event loop, the others to the thread.

    Args:
        context: llama.cpp's context; the thread owns it from now on.
        kv: Its KV cache.
        vocab: The model's vocabulary.
        max_queue: Requests that may wait beside those that are worked on.
    """

    def __init__(self, context: NativeContext, kv: KvCache, vocab: Vocab, *, max_queue: int) -> None:
        self._context = context
        self._slots = Slots(kv)
        self._stepper = Stepper(context, kv, self._slots, vocab)
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting: deque[Sequence] = deque()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._open = 0
        self._most_open = kv.sequences + max_queue
        self._workers = kv.sequences
        self._mean_seconds = 1.0
        self._thread = threading.Thread(target=self._run, name="llama.cpp", daemon=True)
        self._thread.start()

    async def run(self, job: Job) -> AsyncGenerator[Delta, None]:
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
        """End the thread; jobs that are still there fail."""
        self._commands.put(self._close)
        self._context.abort(True)
        await asyncio.to_thread(self._thread.join)

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

    def _cancel(self, job: Job) -> None:
        job.cancelled = True
        self._commands.put(_wake)
        working_for = self._stepper.working_for
        if working_for and all(other.cancelled for other in working_for):
            self._context.abort(True)

    # From here on: the compute thread.

    def _run(self) -> None:
        while not self._closing:
            self._obey()
            self._drop_cancelled()
            self._admit()
            try:
                self._slots.close_gap()
                events = self._stepper.step()
            except Exception:
                _LOG.exception("a step of the model failed")
                events = self._fail_all(EngineError("The model failed unexpectedly. Send the request again."))
            self._settle(events)
        self._send(self._fail_all(UnavailableError("The model was unloaded. Send the request again.")))

    def _obey(self) -> None:
        """Carry out what the event loop wants; wait for it when there is nothing else to do."""
        idle = not self._waiting and not self._slots.busy
        with suppress(Empty):
            while True:
                self._commands.get(block=idle)()
                idle = False

    def _close(self) -> None:
        self._closing = True

    def _drop_cancelled(self) -> None:
        for slot in self._slots.busy:
            if slot.sequence is not None and slot.sequence.job.cancelled:
                self._slots.release(slot)
        if any(sequence.job.cancelled for sequence in self._waiting):
            self._waiting = deque(s for s in self._waiting if not s.job.cancelled)

    def _admit(self) -> None:
        while self._waiting and self._slots.free:
            sequence = self._waiting.popleft()
            job = sequence.job
            job.times.started = job.times.started or time.perf_counter()
            self._slots.take(sequence)

    def _settle(self, events: list[Event]) -> None:
        for job, item in events:
            if isinstance(item, JanHostError):
                job.cancelled = True  # its other choices end with it
        self._send(events)

    def _fail_all(self, error: JanHostError) -> list[Event]:
        jobs = dict.fromkeys(slot.sequence.job for slot in self._slots.busy if slot.sequence is not None)
        jobs.update(dict.fromkeys(sequence.job for sequence in self._waiting))
        self._waiting.clear()
        for slot in self._slots.busy:
            self._slots.release(slot)
            self._slots.forget(slot)
        return [(job, error) for job in jobs]

    def _send(self, events: list[Event]) -> None:
        if events:
            # The loop may be gone when the process ends: then nobody waits for these.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_post, events)


def _post(events: list[Event]) -> None:
    for job, item in events:
        job.mailbox.put_nowait(item)


def _wake() -> None:
    """A command without a content: the thread looks around."""

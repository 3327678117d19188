"""Who uses a model in memory: counted, drained before it leaves, and missed when nobody comes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Usage:
    """The requests of one model. Used on one event loop.

    Args:
        unused: Called when the model has been idle for its time.
    """

    def __init__(self, unused: Callable[[], object]) -> None:
        self._unused = unused
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._deadlines: list[asyncio.TimerHandle] = []
        self._rest: asyncio.TimerHandle | None = None
        self.active = 0
        """Requests that have the model."""
        self.waiting = 0
        """Requests that wait for it."""
        self.used_at = 0.0
        """When it was last used, by the loop's clock."""

    @property
    def is_busy(self) -> bool:
        """Whether a request has the model or waits for it."""
        return self.active + self.waiting > 0

    @contextmanager
    def queued(self) -> Iterator[None]:
        """A request waits for the model."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def begin(self) -> None:
        """A request has the model from now on."""
        self.active += 1
        self._quiet.clear()
        self.forget_rest()

    def end(self, rest_seconds: float) -> None:
        """A request is done; the last one begins the model's rest."""
        self.active -= 1
        if not self.active:
            self._quiet.set()
            self.rest(rest_seconds)

    def rest(self, seconds: float) -> None:
        """Unless somebody uses the model, it is unused after so long; below zero, never."""
        loop = asyncio.get_running_loop()
        self.forget_rest()
        self.used_at = loop.time()
        if seconds >= 0 and not self.active:
            self._rest = loop.call_later(seconds, self._unused)

    def forget_rest(self) -> None:
        """The model is used, or has left."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def limit_drain(self, seconds: float) -> None:
        """Let `drained` end after so long, whatever still runs."""
        self._deadlines.append(asyncio.get_running_loop().call_later(seconds, self._quiet.set))

    async def drained(self) -> None:
        """Wait until no request has the model, or a limit has passed."""
        await self._quiet.wait()

    def left(self) -> None:
        """The model has left memory."""
        while self._deadlines:
            self._deadlines.pop().cancel()
        if self.active:  # requests that were cut off end a moment later
            self._quiet.clear()

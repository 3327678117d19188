"""Who uses a model in memory: counted, drained before it leaves, and missed when nobody comes."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Usage:
    """The requests of one model. Used on one event loop.

    Args:
        idle: Called when nobody has the model or waits for it any more.
        unused: Called when the model has been idle for its time.
    """

    def __init__(self, idle: Callable[[], object], unused: Callable[[], object]) -> None:
        self._idle = idle
        self._unused = unused
        self._rest: asyncio.TimerHandle | None = None
        self._drain_news = asyncio.Event()
        self._drain_limits: list[asyncio.TimerHandle] = []
        self._drain_is_over = False
        self.active = 0
        """Requests that have the model."""
        self.waiting = 0
        """Requests and start requests that wait for it."""
        self.used_at = 0.0
        """When it was last used, by the loop's clock."""

    @property
    def is_busy(self) -> bool:
        """Whether a request has the model or waits for it."""
        return self.active + self.waiting > 0

    @property
    def rests_until(self) -> float | None:
        """Unix time in seconds at which the model will have been idle for its time."""
        if self._rest is None:
            return None
        return time.time() + self._rest.when() - asyncio.get_running_loop().time()

    @contextmanager
    def queued(self) -> Iterator[None]:
        """Somebody waits for the model."""
        self.waiting += 1
        self.forget_rest()
        try:
            yield
        finally:
            self.waiting -= 1
            self._check_idle()

    def begin(self) -> None:
        """A request has the model from now on."""
        self.active += 1
        self.forget_rest()

    def end(self) -> None:
        """A request is done."""
        self.active -= 1
        self._drain_news.set()
        self._check_idle()

    def _check_idle(self) -> None:
        if not self.is_busy:
            self.used_at = asyncio.get_running_loop().time()
            self._idle()

    def rest(self, seconds: float) -> None:
        """Unless somebody uses the model, it is unused after so long; below zero, never."""
        self.forget_rest()
        if seconds >= 0 and not self.is_busy:
            self._rest = asyncio.get_running_loop().call_later(seconds, self._rested)

    def forget_rest(self) -> None:
        """The model is used, or has left."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _rested(self) -> None:
        self._rest = None
        self._unused()

    async def drained(self, called_off: Callable[[], bool]) -> None:
        """Wait until no request has the model, a limit has passed, or it was called off (see `look`)."""
        while self.active and not self._drain_is_over and not called_off():
            self._drain_news.clear()
            await self._drain_news.wait()

    def look(self) -> None:
        """Let `drained` look again whether it was called off."""
        self._drain_news.set()

    def limit_drain(self, seconds: float) -> None:
        """Let `drained` end after so long, whatever still runs."""
        self._drain_limits.append(asyncio.get_running_loop().call_later(seconds, self._end_drain))

    def _end_drain(self) -> None:
        self._drain_is_over = True
        self._drain_news.set()

    def left(self) -> None:
        """The drain is over, one way or the other."""
        while self._drain_limits:
            self._drain_limits.pop().cancel()
        self._drain_is_over = False

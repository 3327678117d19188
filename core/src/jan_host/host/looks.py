"""When the folders of models are looked at, and who waits for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

MANY_MODELS = 1000
"""More are not looked for while somebody waits for a list of them."""
REST = 10.0
"""How many times longer the pauses between looks at many models are than the looks."""


class Looks:
    """One look at a time; whoever asks before it begins shares it. Used on one event loop.

    Args:
        look: Looks at the folders; must not raise.
        count: How many models there are.
        is_told: Whether every change is told of by the system, so that nobody need look.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[None]],
        count: Callable[[], int],
        is_told: Callable[[], bool] = lambda: False,
    ) -> None:
        self._look = look
        self._count = count
        self._is_told = is_told
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._rests_until = 0.0

    async def refresh(self) -> None:
        """Return when everything was looked at that had changed before this call."""
        await asyncio.shield(self._begin())

    async def glance(self) -> None:
        """As `refresh`; where there are many models, the look goes on alone, and not all the time.

        Where changes are told of, there is nothing to look for.
        """
        if self._is_told():
            return
        if self._count() <= MANY_MODELS:
            await self.refresh()
        elif time.monotonic() > self._rests_until:
            self._begin()

    def _begin(self) -> "asyncio.Task[None]":
        # A look that runs already may have passed the place where something changed since: it does not do.
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._running))
        return self._next

    async def _look_after(self, earlier: "asyncio.Task[None] | None") -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        self._running, self._next = self._next, None
        begun = time.monotonic()
        await self._look()
        now = time.monotonic()
        self._rests_until = now + REST * (now - begun)

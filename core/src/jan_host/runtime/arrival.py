"""A start, and all who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable

from jan_host.contract.errors import JanHostError
from jan_host.runtime.faults import same_error


class Arrival:
    """One start, on a task of its own: who waits for it may go away without ending it for the others.

    Args:
        work: Starts the model.
        given_up: Called in the moment in which that ends by being cancelled.
        served: Called when the last who waited has gone on.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[None]],
        given_up: Callable[[], None],
        served: Callable[[], None],
    ) -> None:
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._run(work))
        self._task.add_done_callback(self._ended)
        self._given_up = given_up
        self._served = served
        self._waiting = 0
        self.is_admitted = False
        """Whether it takes memory already: then it goes on, though nobody waits any more."""
        self.is_given_up = False
        """Whether it was cancelled, or is about to be."""

    @property
    def is_under_way(self) -> bool:
        """Whether the start goes on."""
        return not self._over.is_set()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it, or waited and has not gone on yet."""
        return self._waiting > 0

    async def join(self) -> bool:
        """Wait for the end of the start; whether it succeeded, and was not given up.

        Raises:
            JanHostError: It failed.
        """
        self._waiting += 1
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            if self._waiting == 1 and not self.is_admitted:
                self.give_up()
            raise
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._served()
        if self._task.cancelled():
            return False
        error = self._task.exception()
        if isinstance(error, JanHostError):
            raise same_error(error)
        return True

    def give_up(self) -> None:
        """Cancel the start."""
        self.is_given_up = True
        self._task.cancel()

    async def over(self) -> None:
        """Wait until nothing goes on any more, however it ended."""
        await self._over.wait()

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            self._given_up()
            raise
        finally:
            self._over.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            task.exception()  # those who wait are told of it; there may be none
        elif not self._over.is_set():  # it was cancelled before its first step
            self._given_up()
            self._over.set()

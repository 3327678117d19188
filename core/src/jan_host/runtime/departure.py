"""A model's way out of memory."""

import asyncio
from collections.abc import Awaitable, Callable

from jan_host.runtime.arrival import Arrival
from jan_host.runtime.usage import Usage


class Departure:
    """On a task of its own: a start is given up, running requests end, and the memory is freed.

    Args:
        arrival: The model's last start.
        usage: Its requests.
        free: Frees the memory.
        over: Called at the end, and told whether the departure was called off and the model stays.
        can_be_called_off: Whether the model leaves only for another, which may find room elsewhere.
    """

    def __init__(
        self,
        arrival: Arrival | None,
        usage: Usage,
        free: Callable[[], Awaitable[None]],
        over: Callable[[bool], None],
        *,
        can_be_called_off: bool,
    ) -> None:
        self._arrival = arrival
        self._usage = usage
        self._free = free
        self._over = over
        self._is_called_off = False
        self.can_be_called_off = can_be_called_off
        """Whether it may still end with the model where it was: not any more once memory is freed."""
        self._task = asyncio.create_task(self._run())

    def call_off(self) -> None:
        """The model may stay, if it is not too late."""
        self._is_called_off = self.can_be_called_off
        self._usage.look()

    def resume(self) -> None:
        """It is to leave all the same."""
        self._is_called_off = False

    def insist(self) -> None:
        """It leaves in any case."""
        self._is_called_off = self.can_be_called_off = False

    async def over(self) -> None:
        """Wait for the end."""
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        stays = False
        try:
            if self._arrival is not None and self._arrival.is_under_way:
                self._arrival.give_up()
                await self._arrival.over()
            await self._usage.drained(lambda: self._is_called_off)
            stays = self._is_called_off
            self.can_be_called_off = False
            if not stays:
                await self._free()
        finally:
            self._over(stays)

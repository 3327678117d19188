"""The events of the host, from whoever publishes to whoever follows."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator

from jan_host.contract.events import Event, EventsMissed

BACKLOG = 4096
"""How many events are kept: for followers that are slow, and for those that come back."""


class EventBus:
    """Publishing never waits and never fails; whoever falls too far behind is told that events were missed.

    The last events are kept once for all, and each follower has its place among them. An event's
    id names the run of the host and the event's number in it, so that a follower of an earlier run
    is not mistaken for one of this run. All methods are called on the event loop.
    """

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._kept: deque[Event] = deque(maxlen=BACKLOG)
        self._count = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def publish(self, event: Event) -> None:
        """Tell every follower."""
        self._kept.append(event)
        self._count += 1
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    @property
    def last_id(self) -> str:
        """The id of the newest event."""
        return self._id(self._count)

    def subscribe(self) -> AsyncIterator[Event]:
        """All events from this call on (not from the first step of the iterator on)."""
        return self._events(self._count)

    def follow(self, after: str | None = None) -> AsyncIterator[tuple[str, Event]]:
        """Events with their ids: those after the one whose id is `after`, else from this call on.

        Where events after `after` are no longer kept, or it is of another run of the host, the
        first is an `EventsMissed`, followed by all that are kept.
        """
        return self._follow(self._count if after is None else self._place(after))

    async def _events(self, place: int) -> AsyncIterator[Event]:
        async for _, event in self._follow(place):
            yield event

    async def _follow(self, place: int) -> AsyncIterator[tuple[str, Event]]:
        while True:
            oldest = self._count - len(self._kept)
            if place < oldest or place < 0:
                place = oldest
                yield self._id(place), EventsMissed()
            elif place < self._count:
                place += 1
                yield self._id(place), self._kept[place - 1 - oldest]
            else:
                await self._news()

    async def _news(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"

    def _place(self, event_id: str) -> int:
        """How many events of this run came up to that id; -1 for an id that is not of this run."""
        run, _, number = event_id.partition("-")
        known = run == self._run and number.isascii() and number.isdigit() and len(number) < 20
        place = int(number) if known else -1
        return place if place <= self._count else -1

"""The events of the host, from whoever publishes to whoever subscribes."""

import asyncio
from collections.abc import AsyncIterator

from jan_host.contract.events import Event

BACKLOG = 1024
"""How many events a subscriber may lie behind before it misses the oldest."""


class EventBus:
    """Publishing never waits and never fails; a slow subscriber loses its oldest events.

    `publish` is called on the event loop.
    """

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Event]] = set()

    def publish(self, event: Event) -> None:
        """Hand an event to every subscriber."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    def subscribe(self) -> AsyncIterator[Event]:
        """All events from this call on (not from the first step of the iterator on)."""
        queue: asyncio.Queue[Event] = asyncio.Queue(BACKLOG)
        self._queues.add(queue)
        return self._follow(queue)

    async def _follow(self, queue: asyncio.Queue[Event]) -> AsyncIterator[Event]:
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)

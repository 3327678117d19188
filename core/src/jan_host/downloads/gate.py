"""How many connections there are at once: in all, and to each host."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Lets so many connections in; the others wait.

    Args:
        connections: The most at once.
        per_host: The most at once to one host.
    """

    def __init__(self, connections: int, per_host: int) -> None:
        self._connections = connections
        self._per_host = per_host
        self._inside: Counter[str] = Counter()
        self._waiting: list[asyncio.Future[None]] = []

    def has_room(self, host: str) -> bool:
        """Whether a connection to the host could begin now."""
        return self._inside.total() < self._connections and self._inside[host] < self._per_host

    def is_awaited(self) -> bool:
        """Whether somebody waits: who holds more than one connection should let one go."""
        return bool(self._waiting)

    @asynccontextmanager
    async def connection(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends."""
        while not self.has_room(host):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            finally:
                self._waiting.remove(turn)
        self._inside[host] += 1
        try:
            yield
        finally:
            self._inside[host] -= 1
            for turn in self._waiting:  # each looks again whether there is room for it, the oldest first
                if not turn.done():
                    turn.set_result(None)

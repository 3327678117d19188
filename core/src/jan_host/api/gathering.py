"""Pieces that a connection writes one after the other leave together."""

import asyncio
from typing import Any

FULL_BYTES = 64 * 1024
"""How much is gathered at most."""


class Gathering:
    """A connection's transport, which makes few writes of many.

    A write is a system call that wakes the client: it costs more than most of what lies between two of them.
    The second piece in a turn of the event loop takes the first along at once. So an answer's head, which the
    server writes by itself, leaves with the first piece of the body. What else comes in that turn waits for
    its end.

    Args:
        transport: Writes in earnest.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._is_first = True
        self._is_turn_over: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Write `data`, within this turn of the loop."""
        self._held.append(data)
        self._held_bytes += len(data)
        if self._is_turn_over is None:
            self._is_turn_over = self._loop.call_soon(self._end_turn)
        elif self._is_first or self._held_bytes > FULL_BYTES:
            self._is_first = False
            self._flush()

    def close(self) -> None:
        """Close when all is written."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _end_turn(self) -> None:
        self._is_turn_over = None
        self._is_first = True
        self._flush()

    def _flush(self) -> None:
        data = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        if data and not self._transport.is_closing():
            self._transport.write(data)

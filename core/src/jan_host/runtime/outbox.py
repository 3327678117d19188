"""What a worker says: frames gathered over one turn of the event loop and written at once."""

import asyncio
import os
from typing import cast

import msgspec

from jan_host.contract.generation import Delta
from jan_host.runtime.frames import EncodedDeltas, WorkerFrame, encode

_DELTA_ENCODER = msgspec.msgpack.Encoder()
_DELTA_CHECK = msgspec.msgpack.Decoder(Delta)


class Outbox(asyncio.Protocol):
    """The worker's end of the pipe to the host. Used on the event loop only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.WriteTransport | None = None
        self._deltas: list[tuple[int, msgspec.Raw]] = []
        self._bytes = bytearray()
        self._flushing = False
        self._writable = asyncio.Event()
        self._writable.set()

    async def open(self, descriptor: int) -> None:
        """Write to the pipe `descriptor` from now on."""
        pipe = os.fdopen(descriptor, "wb", buffering=0)
        await self._loop.connect_write_pipe(lambda: self, pipe)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._writable.set()

    async def room(self) -> None:
        """Wait until the host has read enough of what was sent."""
        if not self._writable.is_set():
            await self._writable.wait()

    def delta(self, request: int, delta: Delta) -> None:
        """Send a piece of a generation.

        Raises:
            msgspec.ValidationError, TypeError, UnicodeError: It can't be sent, through the engine's
                fault. Found here, it costs its own request alone.
        """
        encoded = _DELTA_ENCODER.encode(delta)
        _DELTA_CHECK.decode(encoded)
        self._deltas.append((request, msgspec.Raw(encoded)))
        self._flush_soon()

    def send(self, frame: WorkerFrame) -> None:
        """Send a frame, behind everything that was sent before.

        Raises:
            ProtocolError: It is too large.
        """
        encoded = encode(frame)
        self._gather()
        self._bytes += encoded
        self._flush_soon()

    def flush(self) -> None:
        """Write now what has been gathered."""
        self._flushing = False
        self._gather()
        if self._bytes and self._transport is not None:
            self._transport.write(bytes(self._bytes))
            self._bytes.clear()

    def _gather(self) -> None:
        if self._deltas:
            self._bytes += encode(EncodedDeltas(self._deltas))
            self._deltas = []

    def _flush_soon(self) -> None:
        # The requests that an engine's step woke all run in this turn of the loop; this runs in the next.
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

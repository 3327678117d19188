"""Streams: server-sent events whose first piece decides whether there is a stream at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec
from litestar.types import Receive, Scope, Send

from jan_host.api.errors import as_jan_host_error, error_body
from jan_host.api.exchange import Exchange
from jan_host.contract.errors import JanHostError
from jan_host.host.closing import Closing

T = TypeVar("T")

EVENT_STREAM = "text/event-stream"
DONE = b"data: [DONE]\n\n"
"""What ends a stream of OpenAI's."""
PING = b": ping\n\n"
"""A comment, which every client steps over: it finds out whether the connection still stands."""
PING_SECONDS = 15.0
TICK_SECONDS = 5.0
FULL_BYTES = 64 * 1024
"""How much may wait for a slow client before the engine is asked for no more."""

_END = object()


def header_pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI wants them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def data_line(encoded: bytes) -> bytes:
    """An event without a name."""
    return b"data: " + encoded + b"\n\n"


def named_event(name: str, encoded: bytes) -> bytes:
    """An event with a name."""
    return b"event: " + name.encode() + b"\ndata: " + encoded + b"\n\n"


def error_event(error: JanHostError) -> bytes:
    """How a stream that has begun says that it failed."""
    return named_event("error", msgspec.json.encode(error_body(error)))


class EventStream(Generic[T]):
    """A streamed answer: an ASGI application that is called once.

    The first item is awaited before the answer begins (unless there is a `greeting`), so that an
    error up to there is an ordinary answer with a status. A later one becomes an ``error`` event
    and ends the stream. The iterator is closed whatever happens.

    Args:
        items: What to send.
        write: An item as bytes; nothing when there is nothing to tell.
        tail: The last bytes, asked for when the items have ended well.
        greeting: Bytes to begin with at once.
        status: The HTTP status.
        headers: Headers beside those of every stream.
    """

    def __init__(
        self,
        items: AsyncIterator[T],
        *,
        write: Callable[[T], bytes],
        tail: Callable[[], bytes] = bytes,
        greeting: bytes = b"",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._items = items
        self._write = write
        self._tail = tail
        self._greeting = greeting
        self._status = status
        self._headers = {
            "content-type": EVENT_STREAM,
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
            **(headers or {}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        exchange = Exchange.of(scope)
        async with Closing(self._items) as items:
            first: Any = _END if self._greeting else await anext(items, _END)
            head = self._greeting if first is _END else self._write(first)
            pairs = header_pairs(self._headers)
            await send({"type": "http.response.start", "status": self._status, "headers": pairs})
            async with Outbox(send, pings=self._is_event_stream) as outbox:
                try:
                    # Not through the outbox: so it leaves in one write with the answer's head.
                    await send({"type": "http.response.body", "body": head, "more_body": True})
                    await self._pump(items, outbox)
                    outbox.put(self._tail())
                except (Exception, asyncio.CancelledError) as error:
                    cause = as_jan_host_error(exchange.cause(error), scope)
                    if not self._is_event_stream:
                        raise cause from error
                    outbox.put(error_event(cause))

    async def _pump(self, items: AsyncIterator[T], outbox: "Outbox") -> None:
        async for item in items:
            outbox.put(self._write(item))
            if outbox.is_full:
                await outbox.room()

    @property
    def _is_event_stream(self) -> bool:
        return self._headers["content-type"].startswith(EVENT_STREAM)


class Outbox:
    """Bytes on their way to a client.

    Whatever gathers while one write is under way, or within one turn of the event loop, goes
    out in the next write together. A stream that is quiet for long is pinged.
    """

    def __init__(self, send: Send, *, pings: bool) -> None:
        self._send = send
        self._pings = pings
        self._loop = asyncio.get_running_loop()
        self._pending = bytearray()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False
        self._writing = False
        self._moved_at = self._loop.time()

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._run())
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._closed = True
                self._wake.set()
                await self._writer
        finally:
            self._ticker.cancel()
            self._writer.cancel()

    def put(self, data: bytes) -> None:
        """Send `data` soon."""
        if data:
            self._pending += data
            self._wake.set()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that the source should pause."""
        return len(self._pending) > FULL_BYTES

    async def room(self) -> None:
        """Wait until what waits has been taken."""
        while self.is_full:
            self._room.clear()
            await self._room.wait()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            last, data = self._closed, bytes(self._pending)
            self._pending.clear()
            self._room.set()
            self._writing = True
            await self._send({"type": "http.response.body", "body": data, "more_body": not last})
            self._writing = False
            self._moved_at = self._loop.time()
            if last:
                return

    def _tick(self) -> None:
        quiet = self._loop.time() - self._moved_at
        if self._pings and not self._writing and quiet > PING_SECONDS:
            self.put(PING)
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)

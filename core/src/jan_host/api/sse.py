"""Streams: server-sent events whose first piece decides whether there is a stream at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
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
            with Pinging(send, wanted=self._is_event_stream) as client:
                try:
                    await client.send(head)
                    async for item in items:
                        if data := self._write(item):
                            await client.send(data)
                    await client.send(self._tail(), last=True)
                except (Exception, asyncio.CancelledError) as error:
                    cause = as_jan_host_error(exchange.cause(error), scope)
                    if not self._is_event_stream:
                        raise cause from error
                    await client.send(error_event(cause), last=True)

    @property
    def _is_event_stream(self) -> bool:
        return self._headers["content-type"].startswith(EVENT_STREAM)


class Pinging:
    """Sends pieces of a body; pings the client of a stream that is quiet for long.

    Args:
        send: Takes messages of ASGI; waits while the client takes nothing.
        wanted: Whether there are pings at all.
    """

    def __init__(self, send: Send, *, wanted: bool) -> None:
        self._send = send
        self._wanted = wanted
        self._loop = asyncio.get_running_loop()
        self._sending = False
        self._sent_at = self._loop.time()
        self._ping: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
        return self

    def __exit__(self, *exception: object) -> None:
        self._ticker.cancel()
        if self._ping is not None:
            self._ping.cancel()

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send a piece."""
        self._sending = True
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})
        self._sending = False
        self._sent_at = self._loop.time()

    def _tick(self) -> None:
        quiet = self._loop.time() - self._sent_at
        if self._wanted and not self._sending and quiet > PING_SECONDS:
            self._ping = self._loop.create_task(self.send(PING))
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)

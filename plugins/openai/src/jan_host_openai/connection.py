"""One HTTP/1.1 connection to an upstream. Errors are those of httpx2, as of the official client's own."""

import asyncio
from collections import deque
from typing import cast

import httptools
import httpx2

MOST_WAITING_BYTES = 1 << 20
"""How much may wait for a slow reader before the server is made to wait."""
MOST_HEADER_BYTES = 256 << 10


class Connection(asyncio.Protocol):
    """A connection that answers one request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.ready = False
        self.complete = False
        self._lasts = False
        self.heard = 0
        """Bytes of the answer's head and body so far."""
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._error: Exception | None = None
        self._parser = httptools.HttpResponseParser(self)

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self._parser.get_status_code())

    @property
    def reusable(self) -> bool:
        """Whether another request may follow."""
        return self._lasts and not self.closed

    def send(self, data: bytes) -> None:
        """Begin a request."""
        self._begin()
        self.transport.write(data)

    async def wait(self, seconds: float | None) -> None:
        """Wait until something changes.

        Raises:
            httpx2.ReadTimeout: Nothing came in time.
        """
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        alarm = None if seconds is None else loop.call_later(seconds, self._too_late)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if alarm is not None:
                alarm.cancel()

    def check(self) -> None:
        """Raise what went wrong.

        Raises:
            httpx2.TransportError: The connection broke, or what came is no HTTP.
        """
        if self._error is not None:
            raise self._error

    def take(self) -> bytes:
        """The part of the body that has come and was not taken yet."""
        data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        if self._waiting > MOST_WAITING_BYTES and not self.closed:
            self.transport.resume_reading()
        self._waiting = 0
        return data

    def close(self) -> None:
        """Close at once."""
        self.closed = True
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.heard += len(data)
        if self.complete or (not self.ready and self.heard > MOST_HEADER_BYTES):
            self._fail(httpx2.RemoteProtocolError("The server sent more than an answer."))
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx2.RemoteProtocolError(f"The server sent what is no HTTP: {error}"))
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.closed = True
        if not self.complete and self._error is None:
            if self.ready and self._ends_by_closing():
                self.complete = True
            else:
                self._error = httpx2.RemoteProtocolError("The server closed the connection too early.")
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools`."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        if self.status >= 200:
            self.ready = True

    def on_body(self, body: bytes) -> None:
        """See `httptools`."""
        self._chunks.append(body)
        before = self._waiting
        self._waiting += len(body)
        if before <= MOST_WAITING_BYTES < self._waiting:
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        """See `httptools`."""
        if self.ready:
            self.complete = True
            self._lasts = bool(self._parser.should_keep_alive())
        else:
            self.headers = []  # of an interim answer, such as 100 Continue

    def _ends_by_closing(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return not names & {b"content-length", b"transfer-encoding"}

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self.close()
        self._wake()

    def _too_late(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(httpx2.ReadTimeout("The server was silent for too long."))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

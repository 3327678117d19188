"""A transport for the official client's HTTP client, which reads streams at a fraction of the usual cost.

It does HTTP/1.1 to one origin after the other, with connections that are kept; what it does not do (proxies)
is left to the HTTP client's own transport. Errors are those of httpx2, so nobody above sees a difference.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

import httptools
import httpx2

MOST_WAITING_BYTES = 1 << 20
"""How much may wait for a slow reader before the server is made to wait."""
MOST_HEADER_BYTES = 256 << 10
MOST_IDLE = 64
"""How many connections to one server are kept for later."""

Origin = tuple[str, str, int]


class Connection(asyncio.Protocol):
    """One connection, which answers one request at a time."""

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
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._waiter
        except TimeoutError:
            raise httpx2.ReadTimeout("The server was silent for too long.") from None
        finally:
            self._waiter = None

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

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Body(httpx2.AsyncByteStream):
    """An answer's body; closed before its end, it closes the connection."""

    def __init__(self, pool: "QuickTransport", origin: Origin, connection: Connection, seconds: float | None):
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        connection = self._connection
        while True:
            data = connection.take()
            if data:
                yield data
            elif connection.complete:
                return
            else:
                connection.check()
                await connection.wait(self._seconds)

    async def aclose(self) -> None:
        """Give the connection back, or close it."""
        self._pool.give_back(self._origin, self._connection)


class QuickTransport(httpx2.AsyncBaseTransport):
    """Keeps connections, and asks through them.

    Args:
        trust: Whose certificates are good; left out, those of public authorities and of ``SSL_CERT_FILE``.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._idle: dict[Origin, list[Connection]] = {}
        self._trust = trust

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`."""
        body = await request.aread()
        url = request.url
        origin = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        data = _head(request) + body
        timeouts = request.extensions.get("timeout", {})
        connection = self._kept(origin)
        if connection is not None:
            try:
                return await self._ask(origin, connection, data, timeouts)
            except httpx2.RemoteProtocolError:
                # The server may close a kept connection at any time. If it has said nothing, it is
                # asked again on a new one.
                if connection.heard:
                    raise
        return await self._ask(origin, await self._connect(origin, timeouts.get("connect")), data, timeouts)

    async def aclose(self) -> None:
        """Close all that are idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        idle = self._idle.setdefault(origin, [])
        if connection.reusable and len(idle) >= MOST_IDLE:
            idle[:] = [each for each in idle if not each.closed]  # servers close them after a while
        if connection.reusable and len(idle) < MOST_IDLE:
            idle.append(connection)
        else:
            connection.close()

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _ask(
        self, origin: Origin, connection: Connection, data: bytes, timeouts: dict[str, float | None]
    ) -> httpx2.Response:
        seconds = timeouts.get("read")
        try:
            connection.send(data)
            while not connection.ready:
                connection.check()
                await connection.wait(seconds)
        except BaseException:
            connection.close()
            raise
        return httpx2.Response(
            connection.status, headers=connection.headers, stream=Body(self, origin, connection, seconds)
        )

    async def _connect(self, origin: Origin, seconds: float | None) -> Connection:
        scheme, host, port = origin
        if scheme == "https" and self._trust is None:
            self._trust = httpx2.create_ssl_context()
        trust = self._trust if scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(Connection, host, port, ssl=trust)
        except TimeoutError:
            raise httpx2.ConnectTimeout("The connection did not come to stand in time.") from None
        except OSError as error:  # TLS errors are among these
            raise httpx2.ConnectError(str(error)) from error
        return connection


def _head(request: httpx2.Request) -> bytes:
    """The head of a request; header names and values were checked by httpx2."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % pair for pair in request.headers.raw]
    return b"\r\n".join([*lines, b"", b""])

"""Connections to upstreams, kept for the next request. HTTP/1.1 alone, and no proxies."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx2

from jan_host_openai.connection import Connection

MOST_IDLE = 64
"""How many connections to one server are kept for later."""


class Origin(NamedTuple):
    """A server."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx2.URL) -> "Origin":
        """The server that a URL names."""
        return cls(url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))


class Timeouts(NamedTuple):
    """Seconds; ``None`` is for ever."""

    connect: float | None
    read: float | None
    """How long the server may be silent."""


class Body(httpx2.AsyncByteStream):
    """An answer's body; closed before its end, it closes the connection."""

    def __init__(self, pool: "Pool", origin: Origin, connection: Connection, seconds: float | None) -> None:
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._seconds = seconds

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self  # no generator: there is nothing to close but the connection

    async def __anext__(self) -> bytes:
        connection = self._connection
        while not (data := connection.take()):
            if connection.complete:
                raise StopAsyncIteration
            connection.check()
            await connection.wait(self._seconds)
        return data

    async def aclose(self) -> None:
        """Give the connection back, or close it."""
        self._pool.give_back(self._origin, self._connection)


class Pool:
    """Asks through connections that it keeps.

    Args:
        trust: Whose certificates are good; left out, those of public authorities and of ``SSL_CERT_FILE``.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._idle: dict[Origin, list[Connection]] = {}
        self._trust = trust

    async def ask(self, origin: Origin, request: bytes, timeouts: Timeouts) -> httpx2.Response:
        """The answer to a whole request of HTTP/1.1; its body is not read yet.

        Raises:
            httpx2.TransportError: There is none.
        """
        connection = self._kept(origin)
        if connection is not None:
            try:
                return await self._ask(origin, connection, request, timeouts.read)
            except httpx2.RemoteProtocolError:
                # The server may close a kept connection at any time. If it has said nothing, it is
                # asked again on a new one.
                if connection.heard:
                    raise
        connection = await self._connect(origin, timeouts.connect)
        return await self._ask(origin, connection, request, timeouts.read)

    async def _ask(
        self, origin: Origin, connection: Connection, request: bytes, seconds: float | None
    ) -> httpx2.Response:
        try:
            connection.send(request)
            while not connection.ready:
                connection.check()
                await connection.wait(seconds)
        except BaseException:
            connection.close()
            raise
        body = Body(self, origin, connection, seconds)
        return httpx2.Response(connection.status, headers=connection.headers, stream=body)

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        idle = self._idle.setdefault(origin, [])
        if connection.reusable and len(idle) >= MOST_IDLE:
            idle[:] = [each for each in idle if not each.closed]  # servers close them after a while
        if connection.reusable and len(idle) < MOST_IDLE:
            idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close all that are idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _connect(self, origin: Origin, seconds: float | None) -> Connection:
        trust = None
        if origin.scheme == "https":
            self._trust = trust = self._trust or httpx2.create_ssl_context()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(Connection, origin.host, origin.port, ssl=trust)
        except TimeoutError:
            raise httpx2.ConnectTimeout("The connection did not come to stand in time.") from None
        except OSError as error:  # TLS errors are among these
            raise httpx2.ConnectError(str(error)) from error
        return connection

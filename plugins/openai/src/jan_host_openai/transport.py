"""A transport for the official client's HTTP client, which reads streams at a fraction of the usual cost."""

import httpx2

from jan_host_openai.pool import Origin, Pool, Timeouts


class QuickTransport(httpx2.AsyncBaseTransport):
    """Carries the client's requests through a pool.

    Args:
        pool: Keeps the connections; closed with the client.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`."""
        body = await request.aread()
        data = head_of(request, request.headers.raw) + b"\r\n" + body
        return await self._pool.ask(Origin.of(request.url), data, timeouts_of(request))

    async def aclose(self) -> None:
        """See `httpx2.AsyncBaseTransport`."""
        self._pool.close()


def head_of(request: httpx2.Request, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The head of a request, without the empty line behind it.

    Args:
        request: The request.
        headers: Its headers; names and values were checked by httpx2.
    """
    lines = [b"%s %s HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)]
    return b"".join([*lines, *(b"%s: %s\r\n" % pair for pair in headers)])


def timeouts_of(request: httpx2.Request) -> Timeouts:
    """How long a request may take."""
    given = request.extensions.get("timeout", {})
    return Timeouts(given.get("connect"), given.get("read"))

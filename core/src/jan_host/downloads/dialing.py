"""Connections are made here, and kept for the next request to the same place."""

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from jan_host.contract.errors import DownloadError
from jan_host.downloads.addresses import literal, port_of
from jan_host.downloads.connection import Connection, Place
from jan_host.downloads.proxies import Proxies, Proxy
from jan_host.downloads.reach import Reach, Word
from jan_host.downloads.retries import TransientError
from jan_host.downloads.threads import in_thread

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 30.0
MOST_IDLE = 4
"""Connections to one place that wait for another request."""

Connect = Callable[[str, int], Awaitable[socket.socket]]


class Dialer:
    """Makes connections to where it is allowed to.

    Args:
        reach: Says which addresses that is.
        proxies: Says what goes through a proxy.
        executor: Threads for what blocks.
        timeout_seconds: How long a server may be silent.
        connect: Makes a socket from an IP address and a port.
    """

    def __init__(
        self,
        *,
        reach: Reach,
        proxies: Proxies,
        executor: Executor,
        timeout_seconds: float,
        connect: Connect | None = None,
    ) -> None:
        self.executor = executor
        self._reach = reach
        self._proxies = proxies
        self._timeout = timeout_seconds
        self._connect = connect or connect_socket
        self._idle: defaultdict[Place, list[Connection]] = defaultdict(list)
        self._trust: ssl.SSLContext | None = None

    def is_proxied(self, url: "httpx.URL") -> bool:
        """Whether requests for this address go through a proxy."""
        return self._proxies.proxy_for(url) is not None

    def reuse(self, url: "httpx.URL", word: Word) -> Connection | None:
        """A connection that waits for a request to this place; it may have died meanwhile."""
        waiting = self._idle[_place(url, word)]
        return waiting.pop() if waiting else None

    def keep(self, connection: Connection) -> None:
        """The connection waits for another request to the same place."""
        waiting = self._idle[connection.place]
        waiting.append(connection)
        if len(waiting) > MOST_IDLE:
            waiting.pop(0).close()

    async def dial(self, url: "httpx.URL", word: Word) -> Connection:
        """Make a connection for requests to `url`.

        Args:
            url: http or https.
            word: On whose word.

        Raises:
            DownloadError: Its address must not be reached, or its certificate is wrong.
            TransientError: There is no connection.
        """
        proxy = self._proxies.proxy_for(url)
        if proxy is not None:
            return await self._dial_proxy(url, word, proxy)
        failed = "it has no address"
        for address in await self._reach.addresses(url, word):
            try:
                sock = await self._open(address, port_of(url))
            except OSError as error:
                failed = error.strerror or "it did not answer in time"
                continue
            return await self._ready(Connection(sock, _place(url, word)), url, None)
        raise TransientError(f"no connection to {url.host} ({failed})")

    def close(self) -> None:
        """Close what waits, and let the threads go. Nothing is at work any more."""
        for waiting in self._idle.values():
            for connection in waiting:
                connection.close()
        self._idle.clear()
        self.executor.shutdown(wait=False)

    async def _dial_proxy(self, url: "httpx.URL", word: Word, proxy: Proxy) -> Connection:
        """The proxy asks the name service, so that only an address in plain text can be judged here."""
        address = literal(url.host)
        if address is not None:
            self._reach.check(url.host, address, word)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                proxy.host, proxy.port, type=socket.SOCK_STREAM
            )
            sock = await self._open(str(found[0][4][0]), proxy.port)
        except OSError as error:
            raise TransientError(f"no connection to the proxy {proxy.host} ({error.strerror})") from None
        plain = Connection(sock, _place(url, word), proxy.headers if url.scheme == "http" else None)
        return await self._ready(plain, url, proxy)

    async def _open(self, address: str, port: int) -> socket.socket:
        async with asyncio.timeout(CONNECT_SECONDS):
            sock = await self._connect(address, port)
        sock.settimeout(self._timeout)
        return sock

    async def _ready(self, connection: Connection, url: "httpx.URL", proxy: Proxy | None) -> Connection:
        """Do what has to be done before the first request."""
        if url.scheme == "http":
            return connection
        if self._trust is None:
            self._trust = await asyncio.to_thread(trust)
        context = self._trust

        def shake_hands() -> None:
            if proxy is not None:
                connection.tunnel(f"{url.raw_host.decode('ascii')}:{port_of(url)}", proxy.headers)
            connection.secure(context, url.raw_host.decode("ascii").strip("[]"))

        try:
            await in_thread(self.executor, shake_hands, connection.stop)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise DownloadError(
                f"The server at {url.host} could not prove who it is: {error.verify_message}."
                " Check the address; a company's own certificates belong into the system's list."
            ) from None
        except BaseException:
            connection.close()
            raise
        return connection


async def connect_socket(address: str, port: int) -> socket.socket:
    """Connect to an IP address.

    Raises:
        OSError: It can't be done.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    loop = asyncio.get_running_loop()
    # Another look-up, of digits alone: it knows what the zone of a link-local address means.
    target = (await loop.getaddrinfo(address, port, family=family, flags=socket.AI_NUMERICHOST))[0][4]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, target)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def trust() -> ssl.SSLContext:
    """Whom to believe: the list that httpx brings and the system's, to which companies add their own."""
    import httpx

    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context


def _place(url: "httpx.URL", word: Word) -> Place:
    return Place(url.scheme, url.host, port_of(url), word)

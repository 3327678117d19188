"""What every request passes before it is routed: nothing is reached around it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

from litestar.types import HTTPScope, Message, Receive, Send

from jan_host.api.auth import PUBLIC_PATHS, KeyCheck
from jan_host.api.body import ClientGoneError, read_body, replay
from jan_host.api.errors import as_jan_host_error, nothing_at, send_error, shutting_down
from jan_host.api.exchange import Exchange, Exchanges
from jan_host.api.methods import Methods
from jan_host.api.paths import rewritten
from jan_host.api.security import SAFE_METHODS, Boundary, answer_preflight, is_preflight
from jan_host.config import ServerConfig
from jan_host.contract.errors import UnsupportedMediaTypeError

CANCELLED_BY_ABSENCE = frozenset({"GET", "HEAD", "POST"})
"""Methods whose work ends with the client's connection. PUT, PATCH and DELETE change what the host
holds, and run to their end."""

Inner = Callable[[HTTPScope, Receive, Send], Awaitable[None]]

access_log = logging.getLogger("jan_host.api.access")

PROBES = ("/health", "/ready")
"""Paths that supervisors ask for all the time: their lines would bury the others."""


class Door:
    """Checks, in this order: Host, origin, key, room, drain, body. Then the router.

    Every request gets an `Exchange`, an id, an answer in the error shape whatever happens, and
    one line in the access log (no query, no body, no key).
    """

    def __init__(
        self,
        config: ServerConfig,
        keys: Sequence[str],
        accepting: Callable[[], bool],
        inner: Inner,
        methods: Methods,
    ) -> None:
        self.exchanges = Exchanges(config.max_queue)
        self._config = config
        self._boundary = Boundary(config)
        self._keys = KeyCheck(keys)
        self._accepting = accepting
        self._inner = inner
        self._methods = methods

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        scope.setdefault("state", {})
        exchange = Exchange(scope)
        send = self._boundary.allowing(scope, exchange.tracking(send))
        with self.exchanges.holding(exchange):
            try:
                await self._admit(scope, receive, send, exchange)
            except ClientGoneError:
                exchange.gone = True
            except (Exception, asyncio.CancelledError) as error:
                await self._refuse(scope, send, exchange, error)
        _log(scope, exchange, time.perf_counter() - started)

    async def _admit(self, scope: HTTPScope, receive: Receive, send: Send, exchange: Exchange) -> None:
        self._boundary.check_host(scope)
        self._boundary.check_origin(scope)
        if is_preflight(scope):
            await answer_preflight(scope, send)
            return
        self._keys.check(scope)
        if scope["path"] not in PUBLIC_PATHS:
            self.exchanges.check_room()
        if scope["method"] not in SAFE_METHODS and not self._accepting():
            raise shutting_down()
        try:
            body = await read_body(scope, receive, self._config)
        except UnsupportedMediaTypeError:
            if not self._methods.of(scope):  # a form for a route that there is not, such as /v1/files
                raise nothing_at(scope["path"]) from None
            raise
        await self._route(scope, body, receive, send)

    async def _route(self, scope: HTTPScope, body: bytes, receive: Receive, send: Send) -> None:
        exchange = Exchange.of(scope)
        routed = scope.copy()
        if scope["method"] == "HEAD":
            routed["method"] = "GET"
            send = _head_alone(send, exchange)
        routed["path"] = rewritten(routed)
        cancels = scope["method"] in CANCELLED_BY_ABSENCE
        with exchange.watching(receive) if cancels else nullcontext():
            await self._inner(routed, replay(body), send)

    async def _refuse(
        self, scope: HTTPScope, send: Send, exchange: Exchange, error: Exception | asyncio.CancelledError
    ) -> None:
        """Tell the client what went wrong, when it is there and has not been told anything yet."""
        try:
            cause = as_jan_host_error(exchange.cause(error), scope)
        except asyncio.CancelledError:
            # The task ends here, and this was its last frame: nobody above waits for the news.
            exchange.gone = True
            return
        if exchange.status == 0:
            await send_error(send, cause)


def _head_alone(send: Send, exchange: Exchange) -> Send:
    """`send` for HEAD: the head of what GET would answer. The server drops the body itself."""

    async def headed(message: Message) -> None:
        goes_on = message["type"] == "http.response.body" and message.get("more_body", False)
        if not goes_on:
            await send(message)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        exchange.hang_up()  # the stream would go on for nobody

    return headed


def _log(scope: HTTPScope, exchange: Exchange, seconds: float) -> None:
    """One line; ``499`` stands for a client that left before its answer began."""
    client = scope.get("client")
    access_log.log(
        logging.DEBUG if scope["path"] in PROBES else logging.INFO,
        '%s "%s %s" %d %d bytes %.1f ms %s%s',
        client[0] if client else "-",
        scope["method"],
        scope.get("raw_path", b"").decode("ascii", "backslashreplace"),
        exchange.status or 499,
        exchange.sent_bytes,
        1000 * seconds,
        exchange.id,
        " (client left)" if exchange.gone else "",
    )

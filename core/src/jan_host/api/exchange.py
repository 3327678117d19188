"""One request and its answer: its id, who is still there, and how it is ended from outside."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from litestar.types import Message, Receive, Scope, Send

from jan_host.contract.errors import JanHostError, TooManyRequestsError

SANE_ID = re.compile(rb"[\x21-\x7e]{1,128}")
"""A request id that a client may choose: visible ASCII, so that it is safe in headers and logs."""

KEY = "jan_host.exchange"
"""Where the exchange lies in the state of an ASGI scope."""


class Exchange:
    """One request, from its head to the last byte of its answer.

    It belongs to the task that answers the request. `hang_up` and `end` cancel that task;
    `cause` tells afterwards what the cancellation meant.
    """

    def __init__(self, scope: Scope) -> None:
        self.id = _request_id(scope)
        self.lasting = False
        """Whether the answer goes on until somebody ends it: nothing that a drain waits for."""
        self.status = 0
        self.sent_bytes = 0
        self.gone = False
        self._finished = False
        self._verdict: JanHostError | None = None
        self._task = cast("asyncio.Task[None]", asyncio.current_task())
        scope["state"][KEY] = self

    @staticmethod
    def of(scope: Scope) -> "Exchange":
        """The exchange that a scope belongs to."""
        return cast(Exchange, scope["state"][KEY])

    def tracking(self, send: Send) -> Send:
        """`send`, with the request id on the answer and a note of what was sent."""
        headers = [(b"x-request-id", self.id.encode()), (b"x-content-type-options", b"nosniff")]

        async def tracked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                message["headers"] = [*message["headers"], *headers]
            elif message["type"] == "http.response.body":
                self.sent_bytes += len(message["body"])
                self._finished = not message.get("more_body", False)
            await send(message)

        return tracked

    @contextmanager
    def watching(self, receive: Receive) -> Iterator[None]:
        """Cancel the work in this block as soon as the client is gone; its body has been read."""
        watcher = asyncio.create_task(self._watch(receive))
        try:
            yield
        finally:
            watcher.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        # A server also reports a disconnect when the whole answer is out.
        if not self._finished:
            self.hang_up()

    def hang_up(self) -> None:
        """Give up on a client that is gone."""
        self.gone = True
        self._task.cancel()

    def end(self, error: JanHostError) -> None:
        """End the work now and tell the client `error`."""
        if self._verdict is None and not self.gone:
            self._verdict = error
            self._task.cancel()

    def cause(self, error: BaseException) -> BaseException:
        """What the client should hear of `error`, which ended the work.

        Raises:
            CancelledError: There is nobody left to hear it.
        """
        if isinstance(error, asyncio.CancelledError):
            if self._verdict is None or self.gone:
                raise error
            self._task.uncancel()
            return self._verdict
        return error


class Exchanges:
    """All exchanges that are under way."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: set[Exchange] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._running)

    @contextmanager
    def holding(self, exchange: Exchange) -> Iterator[None]:
        """Count an exchange in for the length of the block."""
        self._running.add(exchange)
        try:
            yield
        finally:
            self._running.discard(exchange)
            self._changed.set()

    def check_room(self) -> None:
        """Refuse a request when too many are under way (itself among them).

        Raises:
            TooManyRequestsError: Too many.
        """
        if len(self._running) > self._limit:
            raise TooManyRequestsError(
                f"The host works on {self._limit} requests already. Try again in a moment.", retry_after=1
            )

    async def idle(self) -> None:
        """Wait until nothing runs but lasting exchanges."""
        while any(not exchange.lasting for exchange in self._running):
            self._changed.clear()
            await self._changed.wait()

    async def empty(self) -> None:
        """Wait until nothing runs."""
        while self._running:
            self._changed.clear()
            await self._changed.wait()

    def end(self, error: JanHostError, *, lasting_only: bool = False) -> None:
        """End all exchanges, or the lasting ones, with `error`."""
        for exchange in list(self._running):
            if exchange.lasting or not lasting_only:
                exchange.end(error)


def _request_id(scope: Scope) -> str:
    """The client's own id when it is sane, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return f"req-{secrets.token_hex(12)}"

"""One HTTP connection: the server's own protocol, with limits on how long and how large a request may be."""

import asyncio
from typing import Any, cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from jan_host.api.errors import error_body, error_headers
from jan_host.api.gathering import Gathering
from jan_host.api.upgrade import head_without_upgrade
from jan_host.contract.errors import InvalidRequestError, JanHostError

MAX_HEAD_BYTES = 64 * 1024
"""The most that a request's line and headers may take, beside one read of the socket."""
GRACE_SECONDS = 5.0
"""Beyond the body's own time, so that the application gets to say 408 first."""


class Connection(HttpToolsProtocol):
    """A connection whose every request must arrive whole, in time, with a head of sane size.

    uvicorn limits only how long a connection may idle between two requests, so a client that
    sends a byte now and then, or takes no answer, could hold connections for ever.
    """

    seconds: float
    """How long a request may take to arrive, and how long a client may take nothing of its answer;
    set on a subclass by `connection_class`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._head_bytes = 0
        self._in_head = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there; its first request begins."""
        gathering = Gathering(cast(asyncio.Transport, transport))
        super().connection_made(cast(asyncio.Transport, gathering))
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._arrived()
        self._moved()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request arrived."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        if not self._in_head:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(InvalidRequestError("The request's headers are too large.", status=431))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer behind a chunked body, which must not be taken for one."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there."""
        if not self.parser.should_upgrade():
            self._arrived()
            super().on_message_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Go on with HTTP/1.1 when a client would like another protocol, as it is free to ask.

        The parser takes all that follows the head for that protocol, the body of a POST too (Java's
        client asks for HTTP/2 in this way). So another one reads the request, without the wish.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("This is no proxy.")
            return
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head_without_upgrade(method, self.url, self.headers) + rest)

    def pause_writing(self) -> None:
        """The client takes less than there is."""
        super().pause_writing()
        self._await_progress()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._moved()
        super().resume_writing()

    def _await_progress(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.seconds, self._check_progress)

    def _check_progress(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._await_progress()  # slow, and alive
        else:
            self.transport.abort()

    def _moved(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(InvalidRequestError(f"{msg} Speak HTTP/1.1."))

    def _begin(self) -> None:
        self._arrived()
        self._deadline = self.loop.call_later(self.seconds + GRACE_SECONDS, self._too_late)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            # This is the next request of a client that still reads the answer to the last one.
            self._begin()
        elif self._in_head and (cycle is None or cycle.response_complete):
            self._refuse(InvalidRequestError("The request's headers took too long to arrive.", status=408))
        else:
            self.transport.close()

    def _refuse(self, error: JanHostError) -> None:
        """Answer what did not become a request, unless an answer is under way already; then close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(_raw_answer(error))
        elif cycle.more_body and not cycle.response_started and not self.pipeline:
            # The body broke off; what waits for it hears that the client is gone.
            cycle.disconnected = True
            self.transport.write(_raw_answer(error))
        self.transport.close()


def connection_class(seconds: float) -> type[Connection]:
    """The protocol of connections that wait `seconds` for a request, or for a client to take an answer."""
    return type("Connection", (Connection,), {"seconds": seconds})


def _raw_answer(error: JanHostError) -> bytes:
    body = msgspec.json.encode(error_body(error))
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    lines = [f"{name}: {value}\r\n".encode() for name, value in (headers | error_headers(error)).items()]
    return b"".join([STATUS_LINE[error.http_status], *lines, b"\r\n", body])

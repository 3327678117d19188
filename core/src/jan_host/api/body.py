"""Read a request's body before anything works on it: its type, its size and its time are checked."""

import asyncio
import re

from litestar.types import HTTPRequestEvent, Receive, Scope

from jan_host.api.exchange import Exchange
from jan_host.api.security import header
from jan_host.config import ServerConfig
from jan_host.contract.errors import (
    InvalidRequestError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
)

JSON_TYPE = re.compile(r"application/(json|[a-z0-9.!#$&^_-]+\+json)")
CHARSET = re.compile(r"(?i);\s*charset=\s*\"?([^\s;\"]*)")
UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii"})
BOM = b"\xef\xbb\xbf"
"""What Windows' tools put before a text in UTF-8; RFC 8259 lets a reader step over it."""


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(scope: Scope, receive: Receive, config: ServerConfig) -> bytes:
    """The whole body.

    Raises:
        UnsupportedMediaTypeError: There is one, and its content type is not JSON, or it is
            compressed. A page of another site can post text or a form without asking; JSON it can't.
        PayloadTooLargeError: It is larger than `max_body_bytes`, announced or not.
        InvalidRequestError: Its length is no number.
        ClientGoneError: The connection ended.
        CancelledError: It takes longer than `body_timeout_seconds`; the client is told 408 by its exchange.
    """
    length = _announced_length(scope)
    if length is None and header(scope, b"transfer-encoding") is None:
        return b""
    if length == 0:
        return b""
    _check_type(scope)
    _check_coding(scope)
    if length is not None and length > config.max_body_bytes:
        raise _too_large(config)
    loop, seconds = asyncio.get_running_loop(), config.body_timeout_seconds
    alarm = loop.call_later(seconds, _end_late, Exchange.of(scope), seconds)
    try:
        return await _collect(receive, config)
    finally:
        alarm.cancel()


def replay(body: bytes) -> Receive:
    """A `receive` that gives a body that has been read already, and then nothing any more."""
    message: HTTPRequestEvent | None = {"type": "http.request", "body": body, "more_body": False}

    async def replayed() -> HTTPRequestEvent:
        nonlocal message
        if message is None:
            # Whoever waits for the disconnect is cancelled by it, see `Exchange.watching`.
            await asyncio.get_running_loop().create_future()
            raise AssertionError("a future that nobody sets is never done")
        given, message = message, None
        return given

    return replayed


def _end_late(exchange: Exchange, seconds: float) -> None:
    exchange.end(
        InvalidRequestError(f"The request's body did not arrive within {seconds:g} seconds.", status=408)
    )


async def _collect(receive: Receive, config: ServerConfig) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        chunk = message["body"]
        size += len(chunk)
        if size > config.max_body_bytes:
            raise _too_large(config)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks).removeprefix(BOM)


def _announced_length(scope: Scope) -> int | None:
    text = header(scope, b"content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidRequestError("The Content-Length header is not a number.")
    return int(text)


def _check_type(scope: Scope) -> None:
    value = header(scope, b"content-type") or ""
    media_type = value.partition(";")[0].strip().lower()
    if not JSON_TYPE.fullmatch(media_type):
        raise UnsupportedMediaTypeError(
            f"The body is of type {value or 'none'!r}. Send JSON with 'Content-Type: application/json'."
        )
    charset = CHARSET.search(value)
    if charset is not None and charset[1].lower() not in UTF8_NAMES:
        raise UnsupportedMediaTypeError("The body must be JSON in UTF-8.")


def _check_coding(scope: Scope) -> None:
    transfer = header(scope, b"transfer-encoding") or "chunked"
    if transfer.strip().lower() != "chunked":
        raise UnsupportedMediaTypeError(
            f"The body comes in the transfer coding {transfer!r}. Send it chunked, or with Content-Length."
        )
    coding = header(scope, b"content-encoding") or "identity"
    if coding.strip().lower() != "identity":
        raise UnsupportedMediaTypeError(
            f"The body is encoded as {coding!r}. Send it as it is, without Content-Encoding."
        )


def _too_large(config: ServerConfig) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"The body is larger than {config.max_body_bytes} bytes. Send less, or raise [server] max_body_bytes."
    )

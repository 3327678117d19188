"""Answers as ASGI applications of their own: JSON that is ready, and what a plugin's route returns."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from jan_host.api.sse import EventStream, header_pairs
from jan_host.contract.extra import Reply
from jan_host.contract.unknown import to_json


def encode(content: Any) -> bytes:
    """`content` as JSON.

    Raises:
        TypeError: It holds something that JSON can't say.
    """
    return msgspec.json.encode(content, enc_hook=_as_json)


class Json:
    """An answer of JSON."""

    def __init__(self, content: Any, status: int = 200) -> None:
        self._body = encode(content)
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send_whole(send, self._body, "application/json", self._status)


class JsonStruct:
    """An answer of JSON from a Struct, whose unknown fields stand beside the others."""

    def __init__(self, content: msgspec.Struct) -> None:
        self._body = to_json(content)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send_whole(send, self._body, "application/json")


class PluginAnswer:
    """What a plugin's handler returned: a `Reply`, or anything that JSON can say."""

    def __init__(self, content: Any) -> None:
        self._reply = content if isinstance(content, Reply) else Reply(content=encode(content))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as it comes where it is an iterator."""
        reply = self._reply
        if isinstance(reply.content, bytes):
            await send_whole(send, reply.content, reply.media_type, reply.status, reply.headers)
            return
        stream = EventStream(
            reply.content,
            write=bytes,
            status=reply.status,
            headers={"content-type": reply.media_type, **reply.headers},
        )
        await stream(scope, receive, send)


async def send_whole(
    send: Send, body: bytes, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    """Send an answer whose body is there already."""
    named = {"content-type": media_type, "content-length": str(len(body)), **(headers or {})}
    await send({"type": "http.response.start", "status": status, "headers": header_pairs(named)})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _as_json(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"JSON can't say {type(value).__name__}.")

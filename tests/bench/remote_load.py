"""Streams against one server, read with as little work as can be: raw sockets, and the time of each token."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import cast

MARK = b'"content":" token"'


@dataclass(frozen=True, slots=True)
class Heard:
    """One stream: seconds to its first token, seconds between tokens, and how many came."""

    first: float
    between: list[float]
    tokens: int


class Listener(asyncio.Protocol):
    """Reads one answer after the other on one connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.ended: asyncio.Future[None] | None = None

    def ask(self, request: bytes) -> "asyncio.Future[None]":
        """Send a request; the future is done with its answer."""
        self.rest = b""
        self.times: list[float] = []
        self.ended = asyncio.get_running_loop().create_future()
        self.began = time.perf_counter()
        self.transport.write(request)
        return self.ended

    def data_received(self, data: bytes) -> None:
        """Note when tokens came; several of one read have one time."""
        now = time.perf_counter()
        text = self.rest + data
        compact = text.replace(b'": "', b'":"')
        self.times += [now] * compact.count(MARK)
        # What may be the beginning of a mark is looked at again; a mark itself is not.
        self.rest = b"" if compact.rfind(MARK) > len(compact) - len(MARK) - 8 else text[-len(MARK) - 8 :]
        if MARK in self.rest.replace(b'": "', b'":"'):
            self.rest = b""
        if b"\r\n0\r\n\r\n" in text and self.ended is not None and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """A connection that ends too early fails the answer."""
        if self.ended is not None and not self.ended.done():
            self.ended.set_exception(error or ConnectionError("The server closed the connection."))

    def heard(self) -> Heard:
        """What came."""
        between = [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]
        return Heard(self.times[0] - self.began if self.times else 0.0, between, len(self.times))


async def play(port: int, streams: int, requests: int, tokens: int, pause_ms: float) -> list[Heard]:
    """`streams` connections, each with `requests` one after the other."""
    body = json.dumps(
        {
            "model": "bench",
            "messages": [{"role": "user", "content": "Tell me of the sea. " * 20}],
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
            "user": str(pause_ms),
        }
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer sk-bench\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body

    async def one() -> list[Heard]:
        transport, listener = await asyncio.get_running_loop().create_connection(Listener, "127.0.0.1", port)
        heard = []
        for _ in range(requests):
            # What a server does behind an answer is not to be counted for the next one.
            await asyncio.sleep(pause_ms / 1000)
            await asyncio.wait_for(listener.ask(request), 300)
            heard.append(listener.heard())
        transport.close()
        return heard

    return [heard for each in await asyncio.gather(*(one() for _ in range(streams))) for heard in each]

"""An upstream of the tests' own: a real HTTP server on loopback that answers by a test's script."""

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 30.0
"""Seconds that anything may take before a test fails."""

WORDS = ("One", " two", " three", "äö", "🙂", "!")


@dataclass
class Request:
    """What the upstream was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Gone(Exception):  # noqa: N818  # it is no error, but how the script ends
    """The script cuts the connection."""


Script = Callable[["Exchange"], Any]


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    request: Request
    writer: asyncio.StreamWriter

    async def send(self, status: int, body: Any, **headers: str) -> None:
        """A whole answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if "content_type" not in headers:
            lines.append("content-type: application/json")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        await self.writer.drain()

    async def open(self) -> None:
        """The head of a stream."""
        self.writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        await self.writer.drain()

    async def push(self, data: bytes) -> None:
        """Bytes of a stream."""
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def event(self, body: Any) -> None:
        """An event of a stream."""
        await self.push(b"data: " + json.dumps(body).encode() + b"\n\n")

    async def close(self) -> None:
        """The end of a stream."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}


async def talk(exchange: Exchange) -> None:
    """Say `WORDS`, by stream or in one piece, as a well-behaved server does."""
    body = exchange.request.body
    if not body.get("stream"):
        message = {"role": "assistant", "content": "".join(WORDS)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        await exchange.send(200, {"choices": [choice], "usage": USAGE})
        return
    await exchange.open()
    for event in events(body):
        await exchange.event(event)
    await exchange.push(b"data: [DONE]\n\n")
    await exchange.close()


def events(body: Any) -> Iterator[Any]:
    """The events of a good stream."""
    yield chunk(role="assistant", content="")
    for word in WORDS:
        yield chunk(content=word)
    yield FINISH
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {"choices": [], "usage": USAGE}


@dataclass
class Upstream:
    """A running upstream; `script` answers, `requests` is what was asked."""

    url: str = ""
    script: Script = talk
    requests: list[Request] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Somebody closed the connection while a script was at work."""

    @property
    def last(self) -> Request:
        return self.requests[-1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        coming = asyncio.ensure_future(_read(reader))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, Gone):
            while True:
                request = await coming
                self.requests.append(request)
                # Nothing comes before the answer is out, unless the client is gone.
                coming = asyncio.ensure_future(_read(reader))
                await self._answer(Exchange(request, writer), coming)
        coming.cancel()
        writer.close()

    async def _answer(self, exchange: Exchange, coming: "asyncio.Future[Request]") -> None:
        answering = asyncio.ensure_future(self.script(exchange))
        await asyncio.wait([answering, coming], return_when=asyncio.FIRST_COMPLETED)
        if not answering.done() and coming.exception() is not None:
            self.hung_up.set()
            answering.cancel()
            raise ConnectionError
        await answering


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    data = await reader.readexactly(int(headers.get("content-length", 0)))
    is_form = "form" in headers.get("content-type", "")
    body = data.decode() if is_form else json.loads(data) if data else None
    return Request(method, path, headers, body)


@contextlib.contextmanager
def running(trust: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """An upstream in a thread of its own, so that a test of any loop, or of none, can ask it.

    With the context of a certificate, it speaks TLS.
    """
    upstream = Upstream()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await upstream.serve(reader, writer)
            except asyncio.CancelledError:
                writer.close()
            finally:
                tasks.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20, ssl=trust)
        upstream.url = f"{'https' if trust else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    ready.wait(PATIENCE)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        loop.close()


async def collect(deltas: AsyncIterator[Any]) -> list[Any]:
    return [delta async for delta in deltas]

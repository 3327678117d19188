"""A bare server of OpenAI's streams, as quick as Python allows: `python remote_upstream.py PORT`.

What it streams is decided by the request: `max_tokens` events, and between them the milliseconds that `user`
names. All streams share one timer, so that its own cost is small beside that of what is measured.
"""

import asyncio
import json
import sys
from typing import Any, cast

import uvloop

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)


def event(delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> bytes:
    """An event as OpenAI writes it, in a chunk of its own."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    body = {
        "id": "chatcmpl-0123456789abcdef01234567",
        "object": "chat.completion.chunk",
        "created": 1764000000,
        "model": "bench",
        "system_fingerprint": "fp_0123456789",
        "choices": [] if delta is None else [choice],
        "usage": usage,
    }
    return chunked(b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n")


def chunked(data: bytes) -> bytes:
    """Data as a chunk of HTTP/1.1."""
    return b"%x\r\n%s\r\n" % (len(data), data)


FIRST = event({"role": "assistant", "content": ""})
TOKEN = event({"content": " token"})
LAST = event({}, "stop")
DONE = chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"
MODELS = json.dumps({"object": "list", "data": [{"id": "bench", "object": "model"}]}).encode()


class Stream(asyncio.Protocol):
    """One connection; requests follow each other on it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.received = b""
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Answer once a request is complete."""
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        lengths = [line[15:] for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"]
        if len(body) < sum(map(int, lengths)):
            return
        self.received = b""
        if head.startswith(b"GET"):
            answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            self.transport.write(answer % len(MODELS) + MODELS)
            return
        asked = json.loads(body)
        self.left = int(asked.get("max_tokens") or asked.get("max_completion_tokens") or 1)
        self.pause = float(asked.get("user") or 0) / 1000
        self.transport.write(HEAD + FIRST)
        self.tick()

    def tick(self) -> None:
        """Send a token, and come back after the pause; at the end the usage."""
        if self.transport.is_closing():
            return
        if self.left:
            self.left -= 1
            self.transport.write(TOKEN)
            self.loop.call_later(self.pause, self.tick)
        else:
            usage = event(None, usage={"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18})
            self.transport.write(LAST + usage + DONE)


async def main() -> None:
    """Serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(
        Stream, "127.0.0.1", int(sys.argv[1]), backlog=512
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())

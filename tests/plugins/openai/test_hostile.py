"""Answers that no specification has, and what becomes of each."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jan_host import ChatRequest, Delta, JanHostError
from jan_host_openai.sse import MOST_BYTES, EventReader

from tests.plugins.openai.conftest import KEY, LoadModel
from tests.plugins.openai.test_streaming import chat, text
from tests.plugins.openai.upstream import FINISH, Exchange, Upstream, chunk, collect, running

HELLO = b'{"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}'
HI: dict[str, Any] = {"message": {"content": "Hi"}, "finish_reason": "stop"}


async def answered(upstream: Upstream, load: LoadModel, answer: Any) -> list[Delta]:
    """The deltas of a whole answer."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(200, answer)

    upstream.script = script
    deltas: list[Delta] = await collect((await load(base_url=upstream.url)).chat(chat()))
    return deltas


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"choices": [{**HI, "message": {"content": [{"type": "text", "text": "Hi"}, "x", {}]}}]}, "Hi"),
        ({"choices": [HI], "usage": None, "timings": None, "error": None}, "Hi"),
        ({"choices": [HI], "usage": [], "timings": [1]}, "Hi"),
        ({"choices": [HI], "usage": {"prompt_tokens": "3", "completion_tokens": None}}, "Hi"),
        (
            {
                "choices": [HI],
                "usage": {"prompt_tokens": 3.0, "total_tokens": -1, "prompt_tokens_details": 7},
            },
            "Hi",
        ),
        ({"choices": [{**HI, "index": None}]}, "Hi"),
        ({"choices": [{**HI, "index": "0"}], "id": 5, "created": "now", "model": None}, "Hi"),
        ({"choices": [{**HI, "finish_reason": "weary"}]}, "Hi"),
        ({"choices": [{**HI, "finish_reason": 7}]}, "Hi"),
        ({"choices": [{**HI, "message": {"content": None}}]}, ""),
        ({"choices": [{**HI, "message": {"content": "Hi", "reasoning": {"deep": True}}}]}, "Hi"),
    ],
)
async def test_what_can_be_read_is_read(
    upstream: Upstream, load: LoadModel, answer: dict[str, Any], said: str
) -> None:
    deltas = await answered(upstream, load, answer)
    assert text(deltas) == said
    assert deltas[-1].finish_reason == "stop"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        "Hi",
        None,
        {"choices": None},
        {"choices": {"0": HI}},
        {"choices": [None]},
        {"choices": [{**HI, "message": "Hi"}]},
        {"choices": [{**HI, "message": {"content": 5}}]},
        {"choices": [{**HI, "message": {"refusal": {}}}]},
        {"choices": [{**HI, "message": {"tool_calls": {"id": "x"}}}]},
        {"choices": [{**HI, "message": {"tool_calls": [7]}}]},
        {"choices": [{**HI, "logprobs": [1]}]},
        {"choices": [{**HI, "finish_reason": None}]},
        b'{"choices": [{"message": {"content": "Hi"}, "logprobs": NaN, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "\xff"}, "finish_reason": "stop"}]}',
        b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"",
    ],
)
async def test_what_can_not_be_read_is_a_502(upstream: Upstream, load: LoadModel, answer: Any) -> None:
    with pytest.raises(JanHostError) as caught:
        await answered(upstream, load, answer)
    assert caught.value.http_status == 502
    assert "upstream" in caught.value.message


async def test_calls_without_an_index(upstream: Upstream, load: LoadModel) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event(chunk(tool_calls=[{"id": 1, "function": {"name": "f", "arguments": '{"a"'}}]))
        await exchange.event(chunk(tool_calls=[{"function": {"arguments": ":1}"}}]))
        await exchange.event(chunk(tool_calls=[{"id": 2, "function": {"name": "g", "arguments": {"b": 2}}}]))
        await exchange.event(FINISH)
        await exchange.close()

    upstream.script = script
    deltas = await collect((await load(base_url=upstream.url)).chat(chat(stream=True)))
    calls = [call for delta in deltas for call in delta.tool_calls]
    assert [(call.index, call.id) for call in calls] == [(0, "1"), (0, None), (1, "2")]
    assert [call.function.arguments for call in calls] == ['{"a"', ":1}", '{"b":2}']


EVENT = b'{"choices":[{"index":0,"delta":{"content":"Hi"}}]}'
END = b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


@pytest.mark.parametrize(
    "stream",
    [
        b"data:" + EVENT + b"\n\ndata:" + END + b"\n\n",
        b"\xef\xbb\xbfdata: " + EVENT + b"\n\ndata: " + END + b"\n\n",
        b"data: " + EVENT + b"\r\n\r\ndata: " + END + b"\r\n\r\ndata: [DONE]\r\n\r\n",
        b": hello\n\nid: 7\nretry: 5\nevent: x\ndata: " + EVENT + b"\n\n\n\n:\ndata: " + END + b"\n\n",
        b"data: " + EVENT[:20] + b"\ndata: " + EVENT[20:] + b"\n\ndata: " + END + b"\n\n",
        b"data: " + EVENT + b"\n\ndata: " + END,
    ],
    ids=["no space", "BOM", "CRLF", "comments and fields", "many lines", "no end"],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
async def test_streams_of_every_style(upstream: Upstream, load: LoadModel, stream: bytes, size: int) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.open()
        for place in range(0, len(stream), size):
            await exchange.push(stream[place : place + size])
        await exchange.close()

    upstream.script = script
    deltas = await collect((await load(base_url=upstream.url)).chat(chat(stream=True)))
    assert text(deltas) == "Hi"


async def test_a_huge_chunk(upstream: Upstream, load: LoadModel) -> None:
    sound = "x" * (8 << 20)

    async def script(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event(chunk(audio={"data": sound}))
        await exchange.event(FINISH)
        await exchange.close()

    upstream.script = script
    deltas = await collect((await load(base_url=upstream.url)).chat(chat(stream=True)))
    assert deltas[0].extra.message == {"audio": {"data": sound}}


def test_an_event_without_end_is_given_up_and_comments_are_not() -> None:
    reader = EventReader()
    comment = b": " + b"x" * (1 << 20) + b"\n\n"
    for _ in range(MOST_BYTES // len(comment) + 2):
        reader.feed(comment)
    line = b"data: " + b"y" * (1 << 20) + b"\n"
    for _ in range(MOST_BYTES // len(line)):
        reader.feed(line)
    with pytest.raises(JanHostError, match="more than"):
        reader.feed(line)


async def test_a_document_in_place_of_a_stream(upstream: Upstream, load: LoadModel) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(200, HELLO)

    upstream.script = script
    assert text(await collect((await load(base_url=upstream.url)).chat(chat(stream=True)))) == "Hello"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_web_page(upstream: Upstream, load: LoadModel, stream: bool) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(200, b"<html>Welcome</html>", content_type="text/html; charset=utf-8")

    upstream.script = script
    with pytest.raises(JanHostError, match=r"web page.*Check base_url") as caught:
        await collect((await load(base_url=upstream.url)).chat(chat(stream=stream)))
    assert caught.value.http_status == 502


@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
async def test_compressed_bodies(
    upstream: Upstream, load: LoadModel, coding: str, encode: Callable[[bytes], bytes]
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(200, encode(HELLO), content_encoding=coding)

    upstream.script = script
    assert text(await collect((await load(base_url=upstream.url)).chat(chat()))) == "Hello"
    asked = upstream.last.headers["accept-encoding"]
    assert coding in (*asked.split(", "), "identity")


async def test_a_body_that_is_not_what_it_says(upstream: Upstream, load: LoadModel) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(200, HELLO, content_encoding="gzip")

    upstream.script = script
    with pytest.raises(JanHostError) as caught:
        await collect((await load(base_url=upstream.url)).chat(chat()))
    assert caught.value.http_status == 502


@pytest.mark.parametrize("status", [301, 307, 308])
@pytest.mark.parametrize("max_retries", [0, 1])
async def test_a_key_follows_no_redirect(
    upstream: Upstream, load: LoadModel, status: int, max_retries: int
) -> None:
    with running() as elsewhere:

        async def script(exchange: Exchange) -> None:
            await exchange.send(status, b"", location=f"{elsewhere.url}/v1/chat/completions")

        upstream.script = script
        with pytest.raises(JanHostError, match=r"sends elsewhere.*base_url") as caught:
            await collect((await load(base_url=upstream.url, max_retries=max_retries)).chat(chat()))
        assert caught.value.http_status == 502
        assert elsewhere.requests == []


async def raw(exchange: Exchange, answer: bytes) -> None:
    exchange.writer.write(answer)
    await exchange.writer.drain()


BODY = b"content-length: %d\r\n\r\n%s" % (len(HELLO), HELLO)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 65_536 + b"\r\n" + BODY,
        b"HTTP/1.1 200\r\n" + BODY,
    ],
    ids=["103", "64 KiB of headers", "no reason"],
)
async def test_odd_heads(upstream: Upstream, load: LoadModel, answer: bytes) -> None:
    upstream.script = lambda exchange: raw(exchange, answer)
    assert text(await collect((await load(base_url=upstream.url)).chat(chat()))) == "Hello"


async def test_http_1_0_without_a_length(upstream: Upstream, load: LoadModel) -> None:
    async def script(exchange: Exchange) -> None:
        await raw(exchange, b"HTTP/1.0 200 OK\r\n\r\n" + HELLO)
        exchange.writer.close()

    upstream.script = script
    assert text(await collect((await load(base_url=upstream.url)).chat(chat()))) == "Hello"


async def test_a_connection_that_went_stale_is_no_news(upstream: Upstream, load: LoadModel) -> None:
    closed: list[asyncio.StreamWriter] = []

    async def script(exchange: Exchange) -> None:
        if exchange.writer in closed:
            exchange.writer.close()  # without a word, as a server does whose patience with it is over
            return
        closed.append(exchange.writer)
        await raw(exchange, b"HTTP/1.1 200 OK\r\n" + BODY)

    upstream.script = script
    model = await load(base_url=upstream.url)
    for _ in range(3):
        assert text(await collect(model.chat(chat()))) == "Hello"
    assert len(upstream.requests) == 5, "asked twice wherever the connection was stale"


@pytest.mark.parametrize("max_retries", [0, 2])
async def test_retries_are_the_clients(upstream: Upstream, load: LoadModel, max_retries: int) -> None:
    async def script(exchange: Exchange) -> None:
        if len(upstream.requests) < 3:
            await exchange.send(503, {"error": {"message": "Busy."}}, retry_after_ms="1")
        else:
            await exchange.send(200, HELLO)

    upstream.script = script
    ask: Callable[[ChatRequest], Any] = (await load(base_url=upstream.url, max_retries=max_retries)).chat
    asked: Awaitable[list[Delta]] = collect(ask(chat()))
    if max_retries:
        assert text(await asked) == "Hello"
    else:
        with pytest.raises(JanHostError, match="Busy"):
            await asked
    assert len(upstream.requests) == 1 + max_retries
    assert upstream.last.headers["authorization"] == f"Bearer {KEY}"
    assert json.dumps(upstream.last.body["messages"]) == '[{"role": "user", "content": "Hello"}]'

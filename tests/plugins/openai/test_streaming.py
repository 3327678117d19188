"""Generations through a real connection: what arrives, and what becomes of everything that can break."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jan_host import ChatMessage, ChatRequest, CompletionRequest, Delta, JanHostError, UpstreamError

from tests.plugins.openai.conftest import KEY, LoadModel
from tests.plugins.openai.upstream import (
    FINISH,
    PATIENCE,
    USAGE,
    WORDS,
    Exchange,
    Gone,
    Upstream,
    chunk,
    collect,
    events,
    talk,
)


def chat(**options: Any) -> ChatRequest:
    return ChatRequest(messages=[ChatMessage(role="user", content="Hello")], **options)


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chat(upstream: Upstream, load: LoadModel, stream: bool) -> None:
    model = await load(base_url=upstream.url, model="theirs")
    deltas = await collect(model.chat(chat(stream=stream)))
    assert text(deltas) == "".join(WORDS)
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage.total_tokens == 9
    assert upstream.last.path == "/v1/chat/completions"
    assert upstream.last.headers["authorization"] == f"Bearer {KEY}"
    assert upstream.last.body["model"] == "theirs"
    assert not {"openai-organization", "openai-project"} & set(upstream.last.headers)


async def test_without_a_key_none_is_sent(upstream: Upstream, load: LoadModel) -> None:
    model = await load(
        base_url=upstream.url, api_key=None, organization="org", headers={"X-Own": "env:UPSTREAM_KEY"}
    )
    await collect(model.chat(chat()))
    sent = upstream.last.headers
    assert "authorization" not in sent
    assert (sent["openai-organization"], sent["x-own"]) == ("org", KEY)


async def test_an_event_cut_at_every_byte(upstream: Upstream, load: LoadModel) -> None:
    async def drip(exchange: Exchange) -> None:
        data = b": a comment\r\n\r\n" + b"".join(
            b"event: message\r\ndata:" + json.dumps(event, ensure_ascii=False).encode() + b"\r\n\r\n"
            for event in events(exchange.request.body)
        )
        await exchange.open()
        for place in range(len(data)):
            await exchange.push(data[place : place + 1])
        await exchange.close()

    upstream.script = drip
    model = await load(base_url=upstream.url)
    deltas = await collect(model.chat(chat(stream=True)))
    assert [delta.text for delta in deltas if delta.text] == list(WORDS)
    assert deltas[-1].usage.prompt_tokens == 3


async def cut(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.event(chunk(content="One"))
    raise Gone


async def half(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.event(chunk(content="One"))
    await exchange.close()


async def stall(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.event(chunk(content="One"))
    await asyncio.sleep(PATIENCE)


async def garbage(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.event(chunk(content="One"))
    await exchange.push(b"data: {not json}\n\n")
    await exchange.close()


async def fail(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.event(chunk(content="One"))
    await exchange.push(b'event: error\ndata: {"error": {"message": "Out of luck.", "code": "no_luck"}}\n\n')
    await exchange.close()


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        (cut, 502, "broke off"),
        (half, 502, "ended in the middle"),
        (stall, 504, "did not go on in time"),
        (garbage, 502, "no answer of OpenAI's API"),
        (fail, 502, "Out of luck."),
    ],
)
async def test_what_breaks_in_the_middle(
    upstream: Upstream,
    load: LoadModel,
    script: Callable[[Exchange], Awaitable[None]],
    status: int,
    words: str,
) -> None:
    upstream.script = script
    model = await load(base_url=upstream.url, timeout=0.5)
    stream = model.chat(chat(stream=True))
    assert (await anext(stream)).text == "One"
    with pytest.raises(UpstreamError, match=words) as caught:
        await anext(stream)
    assert caught.value.http_status == status
    assert len(upstream.requests) == 1


async def test_closing_closes_the_upstreams_request_at_once(upstream: Upstream, load: LoadModel) -> None:
    upstream.script = stall
    model = await load(base_url=upstream.url)
    stream = model.chat(chat(stream=True))
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(upstream.hung_up.wait, PATIENCE)


async def test_cancelling_a_whole_answer_closes_it_too(upstream: Upstream, load: LoadModel) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def wait(exchange: Exchange) -> None:
        loop.call_soon_threadsafe(begun.set)
        await asyncio.sleep(PATIENCE)

    upstream.script = wait
    model = await load(base_url=upstream.url)
    task = asyncio.ensure_future(collect(model.chat(chat())))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(upstream.hung_up.wait, PATIENCE)


async def test_an_upstream_that_does_not_know_stream_options(upstream: Upstream, load: LoadModel) -> None:
    async def old(exchange: Exchange) -> None:
        if "stream_options" in exchange.request.body:
            await exchange.send(400, {"error": {"message": "Unknown field: stream_options"}})
        else:
            await talk(exchange)

    upstream.script = old
    model = await load(base_url=upstream.url)
    for _ in range(2):
        deltas = await collect(model.chat(chat(stream=True)))
        assert text(deltas) == "".join(WORDS)
        assert deltas[-1].usage is None
    assert len(upstream.requests) == 3, "it was refused once, and then left out"


async def test_reasoning_refusal_tools_and_logprobs(upstream: Upstream, load: LoadModel) -> None:
    logprob = {"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": [{"token": "y", "logprob": -1}]}

    async def rich(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event(chunk(role="assistant", reasoning_content="Hm"))
        await exchange.event(chunk(reasoning="m", future_field={"a": 1}))
        await exchange.event({"choices": [{"index": 1, "delta": {"refusal": "No."}}]})
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
        await exchange.event(chunk(tool_calls=[call]))
        await exchange.event(chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"a":1}'}}]))
        await exchange.event(
            {"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": {"content": [logprob]}}]}
        )
        await exchange.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
        await exchange.event({"choices": [{"index": 1, "delta": {}, "finish_reason": "content_filter"}]})
        await exchange.event({"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 4}})
        await exchange.push(b"data: [DONE]\n\n")
        await exchange.close()

    upstream.script = rich
    model = await load(base_url=upstream.url)
    deltas = await collect(model.chat(chat(stream=True, n=2)))
    assert "".join(delta.reasoning for delta in deltas) == "Hmm"
    assert [(delta.index, delta.refusal) for delta in deltas if delta.refusal] == [(1, "No.")]
    calls = [call for delta in deltas for call in delta.tool_calls]
    assert (calls[0].id, calls[0].function.name) == ("c1", "f")
    assert "".join(call.function.arguments for call in calls) == '{"a":1}'
    assert [item.top_logprobs[0].token for delta in deltas for item in delta.logprobs] == ["y"]
    assert [(d.index, d.finish_reason) for d in deltas[-2:]] == [(0, "tool_calls"), (1, "content_filter")]
    assert deltas[-1].usage.total_tokens == 6


async def test_a_completion_has_logprobs_in_the_older_shape(upstream: Upstream, load: LoadModel) -> None:
    logprobs = {
        "tokens": ["a", "b"],
        "token_logprobs": [None, -0.5],
        "top_logprobs": [None, {"b": -0.5, "c": -2.0}],
        "text_offset": [0, 1],
    }

    async def answer(exchange: Exchange) -> None:
        choice = {"index": 0, "text": "ab", "logprobs": logprobs, "finish_reason": "length"}
        await exchange.send(200, {"choices": [choice], "usage": USAGE})

    upstream.script = answer
    model = await load(base_url=upstream.url)
    deltas = await collect(model.complete(CompletionRequest(prompt=[1, 2], logprobs=2)))
    assert upstream.last.path == "/v1/completions"
    assert upstream.last.body["prompt"] == [1, 2]
    assert text(deltas) == "ab"
    assert [item.token for item in deltas[0].logprobs] == ["a", "b"]
    assert [item.token for item in deltas[0].logprobs[1].top_logprobs] == ["b", "c"]
    assert deltas[-1].finish_reason == "length"


async def test_a_stream_without_its_last_line_is_whole(upstream: Upstream, load: LoadModel) -> None:
    async def end(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event(chunk(content="One"))
        await exchange.push(b"data: " + json.dumps(FINISH).encode())
        await exchange.close()

    upstream.script = end
    deltas = await collect((await load(base_url=upstream.url)).chat(chat(stream=True)))
    assert (text(deltas), deltas[-1].finish_reason) == ("One", "stop")


async def test_many_streams_at_once(upstream: Upstream, load: LoadModel) -> None:
    model = await load(base_url=upstream.url)
    answers = await asyncio.gather(*(collect(model.chat(chat(stream=True))) for _ in range(64)))
    assert {text(answer) for answer in answers} == {"".join(WORDS)}


async def test_a_server_that_is_not_there(load: LoadModel) -> None:
    model = await load(base_url="http://127.0.0.1:9", connect_timeout=5)
    with pytest.raises(JanHostError, match="can't be reached") as caught:
        await collect(model.chat(chat()))
    assert caught.value.http_status == 502

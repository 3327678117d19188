"""How streams travel: pieces as they come, at the client's pace; quiet connections are looked after."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jan_host import Delta, EngineError, FunctionCallDelta, ToolCallDelta
from jan_host.api import sse
from jan_host.api.answers import Heading
from jan_host.api.chat_chunks import ChatChunks
from jan_host.api.exchange import Exchange


@pytest.fixture
async def scope() -> dict[str, Any]:
    made: dict[str, Any] = {"type": "http", "headers": [], "state": {}}
    Exchange(made)  # type: ignore[arg-type]  # the parts of a scope that it reads
    return made


class Client:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.bodies.put_nowait(message["body"])

    async def next(self) -> bytes:
        return await asyncio.wait_for(self.bodies.get(), 30)


async def run(items: AsyncIterator[bytes], scope: Any, client: Client, **options: Any) -> None:
    stream = sse.EventStream(items, write=bytes, **options)
    await stream(scope, None, client.send)  # type: ignore[arg-type]  # it does not receive


async def test_pieces_go_as_they_come_and_the_tail_last(scope: dict[str, Any]) -> None:
    async def items() -> AsyncIterator[bytes]:
        yield b"a"
        yield b""
        yield b"b"

    client = Client()
    await run(items(), scope, client, tail=lambda: b"!")
    assert [await client.next() for _ in range(3)] == [b"a", b"b", b"!"]


async def test_a_quiet_stream_is_pinged(scope: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(sse, "PING_SECONDS", 0.01)
    may_end = asyncio.Event()

    async def items() -> AsyncIterator[bytes]:
        yield b"first"
        await may_end.wait()

    client = Client()
    running = asyncio.create_task(run(items(), scope, client))
    assert await client.next() == b"first"
    assert await client.next() == sse.PING
    may_end.set()
    await running


async def test_a_slow_client_slows_the_source(scope: dict[str, Any]) -> None:
    may_take = asyncio.Event()
    made = 0

    async def items() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield b"x"

    class SlowClient(Client):
        async def send(self, message: Any) -> None:
            if message["type"] == "http.response.body":
                await may_take.wait()
            await super().send(message)

    client = SlowClient()
    running = asyncio.create_task(run(items(), scope, client))
    for _ in range(20):
        await asyncio.sleep(0)
    assert made == 1
    may_take.set()
    await running
    assert made == 100


async def test_the_source_is_closed_when_the_stream_is_cancelled(scope: dict[str, Any]) -> None:
    closed = asyncio.Event()

    async def items() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    client = Client()
    running = asyncio.create_task(run(items(), scope, client))
    await client.next()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert closed.is_set()


def chunks() -> ChatChunks:
    return ChatChunks(lambda: Heading(id="1", created=1, model="m"), None)


def test_a_delta_that_tells_nothing_makes_no_chunk() -> None:
    made = chunks()
    assert b'"role":"assistant"' in made.add(Delta())
    assert made.add(Delta()) == b""


def test_a_message_of_tool_calls_begins_without_content() -> None:
    call = ToolCallDelta(index=0, id="a", type="function", function=FunctionCallDelta(name="f"))
    assert b'"content":null' in chunks().add(Delta(tool_calls=[call]))


def test_a_stream_that_was_cut_does_not_end_well() -> None:
    made = chunks()
    made.add(Delta(text="half"))
    made.add(Delta(index=1, text="whole", finish_reason="stop"))
    with pytest.raises(EngineError, match="choice 0"):
        made.end()

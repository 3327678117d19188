"""The transport on real connections: kept, closed by either side, interim answers, bodies of every kind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from jan_host_openai.client import connect
from jan_host_openai.connection import MOST_HEADER_BYTES, MOST_WAITING_BYTES
from jan_host_openai.pool import MOST_IDLE, Pool
from jan_host_openai.settings import OpenAIUpstream
from jan_host_openai.transport import QuickTransport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SHORT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def asking(serve: Serve) -> AsyncIterator[tuple[httpx2.AsyncClient, list[int]]]:
    """A client over the transport, and how many connections the server saw."""
    connections: list[int] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(connections))
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx2.AsyncClient(
        transport=QuickTransport(Pool()), base_url=f"http://127.0.0.1:{port}", timeout=10
    ) as client:
        yield client, connections
    server.close()


async def request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_a_connection_is_kept() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(SHORT)

    async with asking(serve) as (client, connections):
        for _ in range(3):
            assert (await client.get("/")).text == "ok"
        assert len(connections) == 1
        both = await asyncio.gather(client.get("/"), client.get("/"))
        assert [answer.text for answer in both] == ["ok", "ok"]
        assert len(connections) == 2


async def test_a_kept_connection_that_the_server_closed_costs_nothing() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(SHORT)
        await request(reader)  # and closes without a word

    async with asking(serve) as (client, connections):
        for _ in range(3):
            assert (await client.get("/")).text == "ok"
        assert len(connections) == 3


async def test_a_server_that_closes_a_new_connection_is_not_asked_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)

    async with asking(serve) as (client, connections):
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/")
        assert len(connections) == 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it closes", "until it closes"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 1\r\n\r\na", "a"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", "a"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    ],
)
async def test_bodies_of_every_kind(answer: bytes, text: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(answer)

    async with asking(serve) as (client, _):
        found = await client.get("/")
        assert found.text == text
        assert "transfer-encoding" not in found.headers or text == "abc"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * (MOST_HEADER_BYTES + 1),
    ],
)
async def test_what_is_no_answer(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(answer)
        await writer.drain()

    async with asking(serve) as (client, _):
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/")


async def test_a_slow_reader_makes_the_server_wait() -> None:
    sent = asyncio.Event()
    size = 64 * MOST_WAITING_BYTES

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(64):
            writer.write(b"x" * MOST_WAITING_BYTES)
            await writer.drain()
        sent.set()

    async with asking(serve) as (client, _), client.stream("GET", "/") as answer:
        read = 0
        async for part in answer.aiter_bytes():
            assert read > 0 or not sent.is_set()
            read += len(part)
        assert read == size


async def test_a_proxy_is_left_to_the_clients_own_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_quick(settings: OpenAIUpstream, url: str) -> bool:
        remote = connect(settings, url, "m", reasoning=False)
        return isinstance(remote.client._client._transport, QuickTransport)

    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    plain = OpenAIUpstream(api_key="sk-1")
    assert is_quick(plain, "http://upstream.example/v1")
    assert not is_quick(OpenAIUpstream(proxy="http://127.0.0.1:9"), "http://upstream.example/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "upstream.example")
    assert is_quick(plain, "http://upstream.example/v1")
    assert not is_quick(plain, "http://other.example/v1")
    assert is_quick(plain, "https://other.example/v1")


async def test_after_many_at_once_few_connections_are_kept() -> None:
    everybody_is_here = asyncio.Event()
    crowd = MOST_IDLE + 10
    asked: asyncio.Queue[None] = asyncio.Queue()
    closed: asyncio.Queue[None] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await request(reader)
                asked.put_nowait(None)
                await everybody_is_here.wait()
                writer.write(SHORT)
        except (ConnectionError, asyncio.IncompleteReadError):
            closed.put_nowait(None)
            raise

    async with asking(serve) as (client, _), asyncio.timeout(30):
        answers = [asyncio.create_task(client.get("/")) for _ in range(crowd)]
        for _ in range(crowd):
            await asked.get()
        everybody_is_here.set()
        await asyncio.gather(*answers)
        for _ in range(crowd - MOST_IDLE):
            await closed.get()
        await client.get("/")  # what would be closed beyond them is closed by now
        assert closed.empty()

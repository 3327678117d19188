"""Upstreams behind TLS: whose certificates are trusted, on the plugin's own transport and through a proxy."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from jan_host import ModelLoadError, UpstreamError

from tests.plugins.openai.conftest import KEY, LoadModel
from tests.plugins.openai.test_streaming import chat, text
from tests.plugins.openai.upstream import WORDS, Upstream, collect, running

STREAM = [True, False]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA) -> Iterator[Upstream]:
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(trust)
    with running(trust) as upstream:
        yield upstream


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.mark.parametrize("stream", STREAM)
async def test_an_authority_of_the_settings(
    secure: Upstream, load: LoadModel, ca_file: Path, stream: bool
) -> None:
    model = await load(base_url=secure.url, ca_file=str(ca_file))
    for _ in range(2):
        assert text(await collect(model.chat(chat(stream=stream)))) == "".join(WORDS)


async def test_an_authority_of_the_environment(
    secure: Upstream, load: LoadModel, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    model = await load(base_url=secure.url)
    assert text(await collect(model.chat(chat()))) == "".join(WORDS)


@pytest.mark.parametrize("max_retries", [0, 1])
async def test_a_stranger_is_not_trusted(secure: Upstream, load: LoadModel, max_retries: int) -> None:
    asked = len(secure.requests)
    model = await load(base_url=secure.url, max_retries=max_retries)
    with pytest.raises(
        UpstreamError, match=r"not trusted \(unable to get local issuer.*Set ca_file"
    ) as caught:
        await collect(model.chat(chat()))
    assert caught.value.http_status == 502
    assert len(secure.requests) == asked


async def test_a_certificate_of_another_host(secure: Upstream, load: LoadModel, ca_file: Path) -> None:
    model = await load(base_url=secure.url.replace("127.0.0.1", "127.0.0.2"), ca_file=str(ca_file))
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.2"):
        await collect(model.chat(chat()))


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_ca_file_that_is_none(load: LoadModel, tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ModelLoadError, match="ca_file"):
        await load(base_url="https://127.0.0.1:9", ca_file=str(tmp_path / "ca.pem"))


@contextlib.asynccontextmanager
async def proxying() -> AsyncIterator[tuple[str, list[bytes]]]:
    """An HTTP proxy that knows CONNECT alone; its URL, and the heads of what it was asked."""
    heads: list[bytes] = []
    tasks: set[asyncio.Task[None] | None] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        method, target, _ = heads[-1].split(b" ", 2)
        assert method == b"CONNECT"
        host, _, port = target.decode().rpartition(":")
        there, away = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(reader, away), pipe(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    finally:
        server.close()
        await asyncio.gather(*filter(None, tasks))


@pytest.mark.parametrize("named", ["setting", "environment"])
async def test_through_a_proxy(
    secure: Upstream, load: LoadModel, ca_file: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with proxying() as (url, heads):
        if named == "environment":
            monkeypatch.setenv("HTTPS_PROXY", url)
        proxy = url if named == "setting" else None
        model = await load(base_url=secure.url, ca_file=str(ca_file), proxy=proxy)
        for stream in STREAM:
            assert text(await collect(model.chat(chat(stream=stream)))) == "".join(WORDS)
        await model.unload()
    assert heads
    assert secure.last.headers["authorization"] == f"Bearer {KEY}"
    assert KEY.encode() not in b"".join(heads), "the proxy sees no key"


async def test_a_stranger_behind_a_proxy(secure: Upstream, load: LoadModel) -> None:
    async with proxying() as (url, _):
        model = await load(base_url=secure.url, proxy=url)
        with pytest.raises(UpstreamError, match="not trusted"):
            await collect(model.chat(chat()))
        await model.unload()

"""Images in conversations: limits, and what is fetched from where."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    ContentPart,
    ImagePart,
    ImageURL,
    InvalidRequestError,
    TextPart,
    UnsupportedError,
)
from jan_host.config import load_config
from jan_host.host.images import Images

from tests.pictures import BLUE, RED, bomb, png, url


class Seeing:
    """A model that sees."""

    async def image_tokens(self, url: str) -> int:
        return len(url)


class Blind:
    """A model that does not."""


def _images(root: Path, **settings: Any) -> Images:
    config = load_config(root, {}, {"images": settings, "downloads": {"proxy": "none"}})
    return Images(config, {})


def _asking(*urls: str) -> ChatRequest:
    parts: list[ContentPart] = [TextPart(text="Look: ")]
    parts += [ImagePart(image_url=ImageURL(url=each)) for each in urls]
    return ChatRequest(messages=[ChatMessage(role="user", content=parts)])


def _urls(request: ChatRequest) -> list[str]:
    return [
        part.image_url.url
        for message in request.messages
        for part in message.content or []
        if isinstance(part, ImagePart)
    ]


@asynccontextmanager
async def _server(answer: bytes | Callable[[str], bytes], *, silent: bool = False) -> AsyncIterator[str]:
    """A server that gives one answer to whatever it is asked, or none until the end, and its address."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if silent:
            await over.wait()
        writer.write(answer if isinstance(answer, bytes) else answer(head.split()[1].decode()))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


def _answer(data: bytes, *headers: str, status: str = "200 OK", kind: str = "image/png") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def test_a_request_without_images_is_left_alone(tmp_path: Path) -> None:
    request = ChatRequest(messages=[ChatMessage(role="user", content="Hello")])
    assert await _images(tmp_path).ready(request, Blind) is request


async def test_data_urls_pass_as_they_are(tmp_path: Path) -> None:
    request = _asking(url(png()), url(png(BLUE, 300, 300)))
    assert await _images(tmp_path).ready(request, Seeing) is request


async def test_a_model_that_does_not_see_is_named_as_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="reads text only") as caught:
        await _images(tmp_path).ready(_asking(url(png())), Blind)
    assert caught.value.param == "messages[0].content[1].image_url"


async def test_the_operator_says_how_many_and_how_large(tmp_path: Path) -> None:
    few = _images(tmp_path, max_per_request=2)
    with pytest.raises(InvalidRequestError, match="3 images; 2 are the most"):
        await few.ready(_asking(*[url(png())] * 3), Seeing)
    small = _images(tmp_path, max_pixels=100, max_bytes=1000)
    with pytest.raises(InvalidRequestError, match="24 x 20 pixels; 100 are the most"):
        await small.ready(_asking(url(png())), Seeing)
    with pytest.raises(InvalidRequestError, match="bytes together; 1000 are the most"):
        await small.ready(_asking(*[url(png(width=5, height=5) + bytes(600))] * 2), Seeing)


@pytest.mark.parametrize(
    "address", ["http://93.184.215.14/cat.png", "https://example.org/cat.png", "HTTP://127.0.0.1/"]
)
async def test_addresses_are_not_fetched_unless_the_operator_says_so(tmp_path: Path, address: str) -> None:
    with pytest.raises(UnsupportedError, match=r"\[images\] remote = true"):
        await _images(tmp_path).ready(_asking(address), Seeing)


async def test_an_address_becomes_a_data_url(tmp_path: Path) -> None:
    images = _images(tmp_path, remote=True, private_hosts=["127.0.0.1"])
    async with _server(_answer(png(BLUE))) as address:
        ready = await images.ready(_asking(url(png(RED)), f"{address}/a.png?b=c"), Seeing)
    assert _urls(ready) == [url(png(RED)), url(png(BLUE))]
    images.close()


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://user:secret@127.0.0.1:{port}/",
    ],
)
async def test_nothing_inside_our_own_network_is_asked(tmp_path: Path, address: str) -> None:
    asked: list[str] = []

    def answer(path: str) -> bytes:
        asked.append(path)
        return _answer(png())

    images = _images(tmp_path, remote=True)
    async with _server(answer) as own:
        port = own.rpartition(":")[2]
        with pytest.raises(InvalidRequestError, match="can't be fetched") as caught:
            await images.ready(_asking(address.format(port=port)), Seeing)
    assert caught.value.http_status == 400
    assert "secret" not in caught.value.message
    assert asked == []
    images.close()


@pytest.mark.parametrize(
    "there", ["http://169.254.169.254/", "file:///etc/passwd", "http://10.1.2.3/cat.png"]
)
async def test_a_redirect_leads_nowhere_that_an_address_may_not(tmp_path: Path, there: str) -> None:
    images = _images(tmp_path, remote=True, private_hosts=["127.0.0.1"])
    async with _server(_answer(b"", f"Location: {there}", status="302 Found")) as address:
        with pytest.raises(InvalidRequestError, match="can't be fetched"):
            await images.ready(_asking(f"{address}/cat.png"), Seeing)
    images.close()


async def test_redirects_without_end_are_given_up(tmp_path: Path) -> None:
    images = _images(tmp_path, remote=True, private_hosts=["127.0.0.1"])
    async with _server(_answer(b"", "Location: /again", status="301 Moved")) as address:
        with pytest.raises(InvalidRequestError, match="redirects more than"):
            await images.ready(_asking(address), Seeing)
    images.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_answer(b"<html>", kind="text/html; charset=utf-8"), "The server sends text/html"),
        (_answer(b"<svg/>", kind="image/svg+xml"), "The server sends image/svg"),
        (_answer(b"<svg/>"), "can't be read here"),
        (_answer(png(), kind="image/jpeg"), "said to be image/jpeg, and its bytes are image/png"),
        (_answer(png() + bytes(5000)), "larger than 4096 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + png() + bytes(9000), "larger than 4096"),
        (_answer(png(), "Content-Encoding: gzip"), "compressed"),
        (_answer(b"no", status="404 Not Found"), "answered 404"),
        (_answer(png(width=2000, height=2000)[:200]), "2000 x 2000 pixels"),
        (_answer(png())[:-20], "broke"),
        (b"nonsense\r\n\r\n", "can't be fetched"),
        (_answer(bomb(100_000)), None),
    ],
)
async def test_what_servers_send_is_checked(tmp_path: Path, answer: bytes, says: str | None) -> None:
    images = _images(tmp_path, remote=True, private_hosts=["127.0.0.1"], max_bytes=4096, max_pixels=10_000)
    async with _server(answer) as address:
        if says is None:  # its header is sound; the engine, which decodes it, looks at the rest
            await images.ready(_asking(address), Seeing)
        else:
            with pytest.raises(InvalidRequestError, match=says):
                await images.ready(_asking(address), Seeing)
    images.close()


async def test_a_slow_server_is_given_up(tmp_path: Path) -> None:
    images = _images(tmp_path, remote=True, private_hosts=["127.0.0.1"], timeout_seconds=0.2)
    async with _server(_answer(png()), silent=True) as address:
        with pytest.raises(InvalidRequestError, match=r"did not come within 0.2 seconds"):
            await images.ready(_asking(address, address), Seeing)
    images.close()

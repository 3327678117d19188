"""A model that sees behind a real server, through OpenAI's client; and what hostile images cost: nothing."""

import json
import sys
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import openai
import psutil
import pytest

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.pictures import BLUE, GREEN, RED, bomb, jpeg_head, png, png_of, url
from tests.plugins.llamacpp.vision.eyes import IMAGE_TOKENS, write_eyes, write_text_model

SECONDS = 60
CONFIG = '[images]\nremote = true\nprivate_hosts = ["127.0.0.1"]\nmax_pixels = 10000000\n'


@dataclass(frozen=True, slots=True)
class Served:
    """A server, and the process that it is."""

    url: str
    process: psutil.Process
    client: openai.OpenAI

    def model(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/models/{name}", trust_env=False).json()
        return found

    def workers(self) -> set[int]:
        """The processes in which models live."""
        return {child.pid for child in self.process.children()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over a model and its projector, found by what lies in a folder, and a model without one."""
    root = tmp_path_factory.mktemp("root")
    write_eyes(root / "models" / "eyes")
    (root / "models" / "blind").mkdir()
    write_text_model(root / "models" / "blind" / "blind.gguf")
    (root / "config.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with serving(command, environment(), root) as address:
        said = json.loads((root / "server.json").read_text())
        with openai.OpenAI(
            base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=SECONDS
        ) as client:
            yield Served(address, psutil.Process(said["pid"]), client)


def _messages(*parts: str) -> Any:
    """One message; what does not begin with a word and a space is an image."""
    content = [
        {"type": "image_url", "image_url": {"url": part}}
        if ":" in part[:5]
        else {"type": "text", "text": part}
        for part in parts
    ]
    return [{"role": "user", "content": content}]


def _answer(server: Served, *parts: str) -> str:
    done = server.client.chat.completions.create(
        model="eyes", messages=_messages(*parts), temperature=0, max_tokens=4
    )
    return done.choices[0].message.content or ""


def test_the_client_asks_about_images(server: Served) -> None:
    client = server.client
    done = client.chat.completions.create(
        model="eyes", messages=_messages("What is it? ", url(png(GREEN))), temperature=0, max_tokens=4
    )
    assert done.choices[0].message.content == "green"
    assert done.usage is not None
    assert done.usage.prompt_tokens > IMAGE_TOKENS
    pieces = client.chat.completions.create(
        model="eyes",
        messages=_messages(url(png(BLUE)), url(png(BLUE)), url(png(RED))),
        stream=True,
        temperature=0,
    )
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == "blue"


def test_the_projector_is_found_beside_the_model_and_vision_is_told(server: Served) -> None:
    assert _answer(server, url(png(RED))) == "red"
    found = server.model("eyes")
    assert found["settings"]["mmproj"] == "mmproj-eyes.gguf"
    assert found["settings"]["vision_model"] is True
    assert "vision" in found["capabilities"]
    assert found["warnings"] == []


def test_a_model_without_a_projector_says_so(server: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="reads text only") as caught:
        server.client.chat.completions.create(model="blind", messages=_messages("Look at ", url(png())))
    assert caught.value.code == "unsupported"
    assert caught.value.param == "messages[0].content[1].image_url"
    assert "vision" not in server.model("blind")["capabilities"]


def test_too_many_images_for_the_context_are_refused(server: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="context length") as caught:
        server.client.chat.completions.create(
            model="eyes", messages=_messages(*[url(png())] * 3), max_tokens=2048
        )
    assert caught.value.code == "context_length_exceeded"


class _Picture(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(png(BLUE))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_image_is_fetched_where_the_operator_allows(server: Served) -> None:
    pictures = ThreadingHTTPServer(("127.0.0.1", 0), _Picture)
    threading.Thread(target=pictures.serve_forever, daemon=True).start()
    try:
        assert _answer(server, f"http://127.0.0.1:{pictures.server_port}/blue.png") == "blue"
    finally:
        pictures.shutdown()
        pictures.server_close()


HOSTILE = {
    "nothing": "data:",
    "an empty image": "data:image/png;base64,",
    "broken base64": "data:image/png;base64,!!!!",
    "no base64": "data:image/png,abc",
    "text": "data:text/plain;base64,aGVsbG8=",
    "SVG": url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    "another kind": url(png(), "image/jpeg"),
    "sound": url(b"RIFF\x24\0\0\0WAVEfmt " + bytes(24), "image/png"),
    "a film": url(b"\0\0\0\x18ftypmp42" + bytes(100), "image/png"),
    "a cut PNG": url(png()[:60]),
    "a PNG's head alone": url(png()[:33]),
    "a cut JPEG": url(jpeg_head(64, 64, b""), "image/jpeg"),
    "a JPEG without a picture": url(jpeg_head(64, 64), "image/jpeg"),
    "a GIF without a picture": url(b"GIF89a\x08\0\x08\0\0\0\0;", "image/gif"),
    "a BMP of no depth": url(b"BM" + bytes(16) + b"\x28\0\0\0\x08\0\0\0\x08\0\0\0" + bytes(60), "image/bmp"),
    "a hundred megapixels": url(png_of(10_000, 10_000, zlib.compress(bytes(100)))),
    "the largest size": url(png_of(2**31 - 1, 2**31 - 1, b"")),
    "no size": url(png_of(0, 10, b"")),
    "a bomb": url(bomb(200_000_000)),
    "wrong lines": url(png_of(24, 20, zlib.compress(b"\xff" * 20 * 73))),
    "an unknown depth": url(png_of(24, 20, zlib.compress(bytes(20 * 73)), kind=(7, 2, 0, 0, 0))),
    "a stripe": url(png(width=1, height=5000)),
    "a file": "file:///etc/passwd",
    "an own address": "http://localhost:1/",
    "a cloud's secrets": "http://169.254.169.254/latest/meta-data/",
    "no address": "http://",
    "another scheme": "ftp://example.org/cat.png",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_images_are_refused_and_the_worker_lives(server: Served, name: str) -> None:
    assert _answer(server, url(png(RED))) == "red"
    before = server.workers()
    body = {"model": "eyes", "messages": _messages("Look at ", HOSTILE[name])}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=SECONDS, trust_env=False)
    assert 400 <= answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert error["message"].endswith("."), error
    assert "Traceback" not in error["message"]
    assert _answer(server, url(png(BLUE))) == "blue"
    assert server.workers() == before


def test_a_thousand_images_are_refused(server: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="1000 images; 16 are the most"):
        server.client.chat.completions.create(model="eyes", messages=_messages(*[url(png())] * 1000))


def test_many_clients_at_once_see_their_own_images(server: Served) -> None:
    asked = [("red", RED), ("green", GREEN), ("blue", BLUE)] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: _answer(server, "What is it? ", url(png(each[1]))), asked))
    assert answers == [name for name, _ in asked]

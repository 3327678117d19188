"""Real server processes with a real engine in a worker, and clients for them."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from jan_host.api import create_app
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.plugins import Plugins, load_plugins

REPOSITORY = Path(__file__).parents[2]
MODEL = "scripted/one"
"""An id with a slash, as the remote models of the seeds have it."""

PATIENCE = 30.0
"""Seconds that anything may take before a test fails."""


def lay_out(folder: Path, config: str = "", **settings: Any) -> Path:
    """A root with three models of the engine in `scripted`; model ``two`` gets `settings`."""
    models = folder / "models"
    for name, document in {
        "one": {"id": MODEL, "parameters": {"stream": True, "top_k": 7}},
        "two": {"id": "two", "settings": settings},
        "bad": {"id": "bad", "settings": {"fails": "The file promises 3 tensors and holds 2."}},
    }.items():
        target = models / name
        target.mkdir(parents=True)
        (target / f"{name}.script").write_text("a script")
        full = {
            **document,
            "format": "script",
            "engine": "scripted",
            "sources": [{"filename": f"{name}.script"}],
        }
        (target / "model.json").write_text(json.dumps(full))
    (folder / "config.toml").write_text(config)
    return folder


@pytest.fixture(scope="session")
def plugin_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What PYTHONPATH must say so that the plugin in `scripted` is installed."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "jan_host_scripted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jan-host-scripted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jan_host]\nscripted = tests.api.scripted\n")
    return os.pathsep.join([str(folder), str(REPOSITORY)])


@dataclass
class Server:
    """A running server process."""

    url: str
    root: Path
    process: "subprocess.Popen[str]"
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        parts = httpx.URL(self.url)
        return parts.host, parts.port or 80

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE, **options)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)


StartServer = Callable[..., Any]


@contextmanager
def running_server(root: Path, plugin_path: str, **environ: str) -> Iterator[Server]:
    """A server over `root`, ended at the end of the block."""
    code = (
        "import sys; from pathlib import Path; from jan_host.api import run_server;"
        "from jan_host.config import load_config; from jan_host.host import JanHost;"
        "import logging; logging.basicConfig(level='INFO');"
        "run_server(JanHost(load_config(Path(sys.argv[1]))), on_ready=lambda url: print(url, flush=True))"
    )
    log = root / "server.log"
    disabled = {"JAN_HOST_PLUGINS_DISABLED": "llamacpp,onnx,openai,huggingface,pypi"}
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(root)],
            env={**os.environ, "PYTHONPATH": plugin_path, "JAN_HOST_SERVER_PORT": "0", **disabled, **environ},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, log.read_text()
        yield Server(url, root, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, plugin_path: str) -> Iterator[Server]:
    """One server for all tests that leave it as it was."""
    root = lay_out(tmp_path_factory.mktemp("root"), SHARED_CONFIG)
    with running_server(root, plugin_path) as started:
        yield started


SHARED_CONFIG = """
[server]
cors_origins = ["https://app.example"]
allowed_hosts = ["jan.example"]
max_body_bytes = 100000
max_n = 4
max_stops = 4
max_stop_length = 20
max_tools = 3
max_schema_bytes = 2000
[runtime]
cooldown_seconds = 600
"""


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture
def start_server(tmp_path: Path, plugin_path: str) -> StartServer:
    """Start a server of one's own: ``with start_server(config, setting="of model two") as server``."""

    def start(config: str = "", **settings: Any) -> Any:
        return running_server(lay_out(tmp_path / "root", config, **settings), plugin_path)

    return start


class Pipe:
    """A named pipe at which a test waits for words of the engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        # Open for both, so that neither side waits for the other and there is never an end.
        self._handle = os.fdopen(os.open(path, os.O_RDWR), "r")
        self._words: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._handle:
            self._words.put(line.strip())

    def next(self) -> str:
        return self._words.get(timeout=PATIENCE)

    def go(self) -> None:
        """Let an engine go on that waits at the pipe beside this one."""
        Path(f"{self.path}.go").write_text("go")


@pytest.fixture
def pipe(tmp_path: Path) -> Pipe:
    made = Pipe(tmp_path / "pipe")
    os.mkfifo(f"{made.path}.go")
    return made


def said(*words: str) -> list[dict[str, str]]:
    """The messages of a chat that says `words`."""
    return [{"role": "user", "content": word} for word in words]


def chat(text: str, **fields: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": MODEL, "messages": said(text), **fields}


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Plugins:
    """All plugins that are installed here."""
    return load_plugins(disabled=[], settings={}, data_folder=tmp_path_factory.mktemp("data"))


@pytest.fixture
def in_process(tmp_path: Path, plugins: Plugins) -> Callable[..., Any]:
    """An app in this process: ``async with in_process(config) as (app, client)``."""

    @asynccontextmanager
    async def enter(config: str = "") -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
        root = lay_out(tmp_path / "root", config)
        async with JanHost(load_config(root, {}), plugins) as host:
            app = create_app(host)
            transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # litestar's ASGI types are its own
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as opened:
                yield app, opened

    return enter

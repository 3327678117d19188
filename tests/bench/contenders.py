"""The servers that are compared, each a process of its own with the same model, threads and context."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.client import MODEL

THREADS = len(os.sched_getaffinity(0))
START_SECONDS = 120

OURS = "jan-host"
NATIVE = "native"
PYTHON = "llama_cpp.server"


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server."""

    name: str
    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Setup:
    """How a server is started."""

    slots: int
    """Requests that it works on at the same time."""
    context: int = 2048
    """Tokens that one request may use."""


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(name: str, command: Sequence[str], port: int, log: Path) -> Iterator[Contender]:
    """A server of its own, from when it answers to the end of the block."""
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, child, log)
            yield Contender(name, url, child.pid)
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"A server ended at its start; it said:\n{log.read_text()[-2000:]}")
        try:
            if httpx.get(f"{url}/v1/models", timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"A server did not start in {START_SECONDS} s; it said:\n{log.read_text()[-2000:]}")


@contextmanager
def jan_host(file: Path, setup: Setup, folder: Path, models: Sequence[str] = (MODEL,)) -> Iterator[Contender]:
    """jan-host with its own defaults, but for what all contenders have in common.

    Args:
        file: The model's file, or its folder.
        setup: See `Setup`.
        folder: For what the server writes.
        models: The ids under which it is there, each time as a model of its own.
    """
    root = folder / "root"
    for model in models:
        home = root / "models" / model
        home.mkdir(parents=True)
        for path in file.iterdir() if file.is_dir() else [file]:
            (home / path.name).symlink_to(path)
    settings = {"ctx_len": setup.context, "n_parallel": setup.slots, "cpu_threads": THREADS}
    defaults = root / "engines" / "llama.cpp"
    defaults.mkdir(parents=True)
    (defaults / "engine.json").write_text(json.dumps(settings))
    port = free_port()
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root), "--port", str(port)]
    with serving(OURS, command, port, folder / "jan-host.log") as contender:
        yield contender


@contextmanager
def native(file: Path, setup: Setup, folder: Path) -> Iterator[Contender]:
    """llama.cpp's own server, as the package xllamacpp brings it."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("native_server.py"))]
    command += [str(file), str(port), str(THREADS), str(setup.context * setup.slots), str(setup.slots)]
    with serving(NATIVE, command, port, folder / "native.log") as contender:
        yield contender


@contextmanager
def python_server(file: Path, setup: Setup, folder: Path) -> Iterator[Contender]:
    """``llama_cpp.server``, which has one slot, and by default gives up a request when the next comes."""
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(file), "--port", str(port)]
    command += ["--n_threads", str(THREADS), "--n_threads_batch", str(THREADS)]
    command += ["--n_ctx", str(setup.context), "--logits_all", "False"]
    with serving(PYTHON, command, port, folder / "llama_cpp.log") as contender:
        yield contender


KINDS: dict[str, Callable[[Path, Setup, Path], AbstractContextManager[Contender]]] = {
    OURS: jan_host,
    NATIVE: native,
    PYTHON: python_server,
}


@contextmanager
def running(names: Sequence[str], file: Path, setup: Setup, folder: Path) -> Iterator[list[Contender]]:
    """All contenders at once; those that wait for their turn are idle."""
    with ExitStack() as stack:
        started = []
        for name in names:
            own = folder / name
            own.mkdir(parents=True)
            started.append(stack.enter_context(KINDS[name](file, setup, own)))
        yield started

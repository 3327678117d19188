"""The servers that are compared, each a process of its own with the same model, threads and context."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

THREADS = len(os.sched_getaffinity(0))
CONTEXT = 4096
"""Tokens that one request may use."""
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server."""

    name: str
    url: str
    pid: int


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(name: str, command: list[str], port: int, log: Path) -> Iterator[Contender]:
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


def jan_host(model: Path, streams: int, folder: Path) -> Iterator[Contender]:
    """jan-host with its own defaults, and as many parallel sequences as there will be streams."""
    home = folder / "root" / "models" / "bench"
    home.mkdir(parents=True)
    (home / model.name).symlink_to(model)
    defaults = folder / "root" / "engines" / "llama.cpp"
    defaults.mkdir(parents=True)
    (defaults / "engine.json").write_text(
        f'{{"ctx_len": {CONTEXT}, "n_parallel": {streams}, "cpu_threads": {THREADS}}}'
    )
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "jan_host.cli",
        "serve",
        "--root",
        str(folder / "root"),
        "--port",
        str(port),
    ]
    with serving("jan-host", command, port, folder / "jan-host.log") as contender:
        yield contender


def native(model: Path, streams: int, folder: Path) -> Iterator[Contender]:
    """llama.cpp's own server, as the package xllamacpp brings it."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("native_server.py"))]
    command += [str(model), str(port), str(THREADS), str(CONTEXT * streams), str(streams)]
    with serving("native", command, port, folder / "native.log") as contender:
        yield contender


def python_server(model: Path, streams: int, folder: Path) -> Iterator[Contender]:
    """``llama_cpp.server``, which answers one request after the other."""
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port)]
    command += ["--n_threads", str(THREADS), "--n_threads_batch", str(THREADS), "--n_ctx", str(CONTEXT)]
    command += ["--logits_all", "False", "--interrupt_requests", "False"]
    with serving("llama_cpp.server", command, port, folder / "llama_cpp.log") as contender:
        yield contender


KINDS = {"jan-host": jan_host, "native": native, "llama_cpp.server": python_server}


@contextmanager
def running(names: list[str], model: Path, streams: int, folder: Path) -> Iterator[list[Contender]]:
    """All contenders at once; those that wait for their turn are idle."""
    with ExitStack() as stack:
        started = []
        for name in names:
            own = folder / name
            own.mkdir(parents=True)
            started.append(stack.enter_context(contextmanager(KINDS[name])(model, streams, own)))
        yield started

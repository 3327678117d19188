"""Real jan-hosts, each a process with its own root, log and key."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cli.conftest import environment
from tests.plugins.openai.upstream import PATIENCE


@dataclass(frozen=True, slots=True)
class Server:
    """A running jan-host."""

    url: str
    root: Path
    log: Path


def put(root: Path, name: str, document: dict[str, Any]) -> Path:
    """Write a model.json below a root."""
    file = root / "models" / name / "model.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(document))
    return file


@contextlib.contextmanager
def jan_host(root: Path, **variables: str) -> Iterator[Server]:
    """A server over `root`, which tells its log all that it can."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", root / "server.log"
    root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--log-level", "debug"],
            env={**environment(), **variables},
            stdout=output,
            stderr=output,
        )
        try:
            _wait(url, process, log)
            yield Server(url, root, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/ready", trust_env=False).is_success:
                return
        os.sched_yield()
    raise AssertionError(f"{url} is not ready:\n{log.read_text()}")

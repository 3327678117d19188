"""How commands find the server of a root, and that they find no other."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jan_host.cli.announcement import announced, announcing
from jan_host.config import load_config

from tests.cli.conftest import Run, environment
from tests.examples.servers import serving


def test_an_address_is_believed_while_its_server_lives(tmp_path: Path) -> None:
    config = load_config(tmp_path, {})
    assert announced(config) is None
    with announcing(config) as announce:
        announce("http://127.0.0.1:1")
        assert announced(config) == "http://127.0.0.1:1"
    assert announced(config) is None
    assert not (tmp_path / "server.json").exists()


def test_a_second_server_leaves_the_first_ones_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(tmp_path, {})
    with announcing(config) as announce:
        announce("http://127.0.0.1:1")
        with announcing(config) as announce_second:
            announce_second("http://127.0.0.1:2")
            assert announced(config) == "http://127.0.0.1:1"
            assert "--url http://127.0.0.1:2" in caplog.text
        assert announced(config) == "http://127.0.0.1:1"


def test_an_address_that_was_left_behind_is_not_believed(run: Run, root: Path) -> None:
    # The process id is one that lives: ids are used again.
    (root / "server.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getpid()}))
    assert run("models").code == 0
    assert "jan-host serve" in run("ps").err
    with announcing(load_config(root, {})) as announce:
        announce("http://127.0.0.1:2")
        assert announced(load_config(root, {})) == "http://127.0.0.1:2"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"null",
        b'{"url": 5, "pid": 1}',
        b'{"url": "http://[::1", "pid": 1}',
        b"{" * 9999,
    ],
)
def test_nonsense_is_no_address(run: Run, root: Path, content: bytes) -> None:
    (root / "server.json").write_bytes(content)
    said = run("ps")
    assert said.code == 1
    assert "jan-host serve" in said.err


@pytest.mark.parametrize("url", ["http://[::1", "::", "nonsense", "ftp://x", "http://x y:z", "http://"])
def test_an_impossible_url_is_one_line(run: Run, url: str) -> None:
    said = run("ps", "--url", url)
    assert said.code == 1
    assert said.err.startswith(f"jan-host: No jan-host answers at {url}")


def test_a_server_of_another_root_is_not_asked(run: Run, server: str, tmp_path: Path) -> None:
    port = server.rpartition(":")[2]
    other = run("ps", "--root", str(tmp_path / "other"), JAN_HOST_SERVER_PORT=port)
    assert "jan-host serve" in other.err
    assert run("ps", "--root", str(tmp_path / "other"), "--url", server.removeprefix("http://")).code == 0


def test_a_server_serves_where_it_can_leave_no_address(root: Path, tmp_path: Path, run: Run) -> None:
    (root / "server.lock").mkdir()
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with serving(command, environment(), root) as address:
        assert run("ps", "--url", address).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_server(root: Path, run: Run, number: int) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root), "--port", "0"],
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert server.stderr
    while "/docs" not in server.stderr.readline():
        pass
    assert (root / "server.json").exists()
    server.send_signal(number)
    said = server.communicate(timeout=60)[1]
    assert server.returncode == 0
    assert "Traceback" not in said
    assert not (root / "server.json").exists()


def test_the_key_of_the_configuration_is_sent(root: Path, run: Run) -> None:
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with serving(command, environment() | {"JAN_HOST_SERVER_API_KEYS": "right"}, root):
        assert "poem" in run("models", JAN_HOST_SERVER_API_KEYS="right").out
        for key in ("wrong", ""):
            said = run("models", JAN_HOST_SERVER_API_KEYS=key)
            assert said.code == 1
            assert "JAN_HOST_SERVER_API_KEYS" in said.err

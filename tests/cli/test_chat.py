"""``jan-host run`` as a chat, on a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import MODEL, lay_out
from tests.cli.conftest import SECONDS, Run, environment

ON_A_TERMINAL = """
import os
os.close(os.open(os.ttyname(0), os.O_RDWR))  # makes it the one whose Ctrl-C reaches this process
from jan_host.cli import main
main()
"""


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, arguments: list[str], root: Path, **variables: str) -> None:
        self._fd, inside = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            env=environment() | {"JAN_HOST_ROOT": str(root)} | variables,
        )
        os.close(inside)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def read_until(self, words: str) -> str:
        """What appeared until `words` did."""
        seen = ""
        deadline = time.monotonic() + SECONDS
        while words not in seen:
            ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{words!r} did not appear, but: {seen}"
            seen += os.read(self._fd, 4096).decode()
        return seen

    def wait(self) -> int:
        return self._process.wait(SECONDS)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._fd)


@pytest.fixture
def chat(root: Path) -> Iterator[Terminal]:
    terminal = Terminal(["run", "poem", "--temperature", "0"], root)
    terminal.read_until("> ")
    yield terminal
    terminal.end()


@pytest.mark.parametrize("ending", ["\n", "\x04", "\x03"], ids=["empty line", "Ctrl-D", "Ctrl-C"])
def test_a_chat_answers_and_ends(chat: Terminal, ending: str) -> None:
    chat.type("The sea\n")
    assert len(chat.read_until("\n> ").splitlines()) > 2
    chat.type(ending)
    assert chat.wait() == 0


def test_ctrl_c_ends_an_answer_and_not_the_chat(tmp_path: Path, plugin_path: str) -> None:
    root = lay_out(tmp_path / "root")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    listener = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    terminal = Terminal(["run", MODEL], root, PYTHONPATH=plugin_path)
    try:
        terminal.read_until("> ")
        terminal.type(f"endless {pipe}\n")
        terminal.read_until("begun")
        terminal.type("\x03")
        terminal.read_until("> ")
        terminal.type("count 3\n")
        terminal.read_until("0 1 2 \r\n> ")
        assert os.read(listener, 100).decode().split() == ["begun", "cancelled"]
        terminal.type("\n")
        assert terminal.wait() == 0
    finally:
        terminal.end()
        os.close(listener)


def test_nothing_to_ask_is_an_error(run: Run) -> None:
    said = run("run", "poem", stdin="")
    assert said.code == 1
    assert "nothing to ask" in said.err

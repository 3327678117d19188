"""A command in a terminal of its own, as a user sits before it."""

import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import ioctl

SECONDS = 60
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """What a command writes to its terminal, and the keys that are typed there.

    Args:
        process: The command, which has the terminal's other end.
        descriptor: Our end.
    """

    def __init__(self, process: int, descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._written = ""

    @property
    def text(self) -> str:
        """All that was written, without what steers the terminal."""
        return _STEERING.sub("", self._written)

    def type(self, keys: str) -> None:
        """Press keys; ``\\x03`` is Ctrl-C."""
        os.write(self._descriptor, keys.encode())

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until the text has the pattern.

        Raises:
            AssertionError: It does not come, or the command ends before.
        """
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.text)):
            assert self._read(deadline), f"no {pattern!r} in {self.text!r}"
        return found

    def end(self) -> int:
        """Wait for the command's end; its exit code, or a signal's number below zero."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more came after {self.text!r}"
        try:
            block = os.read(self._descriptor, 1 << 16)
        except OSError:  # Linux says so when the other end is closed
            return False
        self._written += block.decode(errors="replace")
        return bool(block)


@contextmanager
def terminal(*arguments: str, variables: Mapping[str, str], columns: int = 100) -> Iterator[Terminal]:
    """Run ``jan-host ARGUMENTS`` in a terminal; killed when the block ends and it still runs."""
    process, descriptor = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, "-m", "jan_host.cli", *arguments], dict(variables))
    ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    try:
        yield Terminal(process, descriptor)
    finally:
        os.close(descriptor)
        try:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended, as it should

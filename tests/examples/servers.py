"""A real ``jan-host serve`` in a process of its own."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/v1")


class _Reader(threading.Thread):
    """Reads what a server says, so that it never waits for a reader, until it ends."""

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        super().__init__(daemon=True)
        self.server = server
        self.said: list[str] = []
        self.address: str | None = None
        self.known = threading.Event()

    def run(self) -> None:
        assert self.server.stderr is not None
        for line in self.server.stderr:
            self.said.append(line)
            found = _ADDRESS.search(line)
            if found and self.address is None:
                self.address = found[1]
                self.known.set()
        self.known.set()


@contextmanager
def serving(command: Sequence[str], variables: Mapping[str, str], cwd: Path) -> Iterator[str]:
    """Run a server on a free port and give its address; end it as a user would, by Ctrl-C."""
    environment = {**variables, "JAN_HOST_SERVER_PORT": "0", "NO_COLOR": "1"}
    server = subprocess.Popen(command, cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True)
    reader = _Reader(server)
    reader.start()
    try:
        reader.known.wait(60)
        assert reader.address, f"the server did not come up:\n{''.join(reader.said)}"
        yield reader.address
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(60)
        finally:
            server.kill()
            server.wait()
            reader.join(10)
            assert server.stderr is not None
            server.stderr.close()

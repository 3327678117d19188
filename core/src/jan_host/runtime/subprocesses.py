"""The launcher that starts workers as processes of this machine."""

import asyncio
import contextlib
import functools
import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

from jan_host.contract.errors import ModelLoadError
from jan_host.runtime.launcher import Ending, Receiver

# -P: a file in the folder where the host was started must not stand in for a module.
_COMMAND = (sys.executable, "-P", "-m", "jan_host.runtime.worker")
_KEPT_LINES = 100
_MAX_LINE = 1000
# A process that the worker left behind may hold its pipes open; its own words are in them long since.
_PIPE_GRACE_SECONDS = 0.2
_EXIT_GRACE_SECONDS = 1.0

logger = logging.getLogger(__name__)


class SubprocessLauncher:
    """Starts ``python -m jan_host.runtime.worker`` in a session of its own, out of the terminal's reach."""

    async def launch(self, name: str, environment: Mapping[str, str], receiver: Receiver) -> "Subprocess":
        """See `Launcher.launch`."""
        try:
            # asyncio's own subprocesses are not used: before Python 3.12.4 their end is not seen while a
            # grandchild holds a pipe. Nor may this run in another thread: a worker dies with the thread
            # that started it (PR_SET_PDEATHSIG), and a pool's threads end before the host does.
            process = subprocess.Popen(  # noqa: ASYNC220  # see above; it takes a millisecond or two
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            raise ModelLoadError(f"No worker process could be started for {name}: {error}.") from error
        worker = Subprocess(name, process, receiver)
        # Attaching takes a few turns of the loop and is never cancelled: uvloop would close a pipe, and the
        # file object would later close the same number again, which may be a client's socket by then.
        attaching = asyncio.ensure_future(worker.connect())
        try:
            await asyncio.shield(attaching)
        except BaseException:
            await asyncio.wait([attaching])
            worker.kill()  # last: its end is no news to a receiver that is told of this exception first
            raise
        return worker


class Subprocess:
    """A worker process: its pipes, its stderr, its end."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", receiver: Receiver) -> None:
        self._name = name
        self._process = process
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._errors = LineLog(name)
        self._input = _Input()
        self._outputs: list[asyncio.BaseTransport] = []
        self._open_outputs = 2
        self._code: int | None = None
        self._over = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def connect(self) -> None:
        """Attach to the pipes and watch for the end."""
        threading.Thread(target=self._wait, name=f"jan-host-wait-{self.pid}", daemon=True).start()
        process, loop = self._process, self._loop
        await loop.connect_write_pipe(lambda: self._input, process.stdin)
        for pipe, take in ((process.stdout, self._receiver.received), (process.stderr, self._errors.feed)):
            reader, _ = await loop.connect_read_pipe(
                functools.partial(_Output, take, self._output_closed), pipe
            )
            self._outputs.append(reader)

    def write(self, data: bytes) -> None:
        """See `Worker.write`."""
        if not self._over:
            self._input.write(data)

    async def drain(self) -> None:
        """See `Worker.drain`."""
        await self._input.drain()

    def last_lines(self) -> list[str]:
        """See `Worker.last_lines`."""
        return self._errors.lines()

    def terminate(self) -> None:
        """See `Worker.terminate`."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """See `Worker.kill`."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _wait(self) -> None:
        code = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(self._exited, code)

    def _exited(self, code: int) -> None:
        self._code = code
        if self._open_outputs:
            self._loop.call_later(_PIPE_GRACE_SECONDS, self._finish)
        else:
            self._finish()

    def _output_closed(self) -> None:
        self._open_outputs -= 1
        if self._open_outputs:
            # Without its stdout or stderr a worker is of no use; most often it is just about to be reaped.
            self._loop.call_later(_EXIT_GRACE_SECONDS, self.kill)
        elif self._code is not None:
            self._finish()

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        self._input.close()
        for transport in self._outputs:
            transport.close()
        self._receiver.ended(Ending(self._code, self._errors.lines()))


class LineLog:
    """Passes on the lines of a worker's stderr to the log, and keeps the last ones."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: deque[str] = deque(maxlen=_KEPT_LINES)
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Take what arrived, whole lines or not."""
        *lines, rest = (self._partial + data).split(b"\n")
        self._partial = rest[-_MAX_LINE:]
        for line in lines:
            text = _readable(line)
            self._kept.append(text)
            logger.debug("%s: %s", self._name, text)

    def lines(self) -> list[str]:
        """The last lines, the unfinished one included."""
        return [*self._kept, _readable(self._partial)] if self._partial else list(self._kept)


def _readable(line: bytes) -> str:
    text = line[:_MAX_LINE].decode("utf-8", "replace").rstrip()
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in text)


class _Input(asyncio.BaseProtocol):
    """The worker's stdin: writes without waiting, and tells when there is room again."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        if not self._room.is_set():
            await self._room.wait()

    def close(self) -> None:
        self._room.set()
        transport, self._transport = self._transport, None
        if transport is not None and not transport.is_closing():
            transport.abort()


class _Output(asyncio.Protocol):
    """The worker's stdout or stderr."""

    def __init__(self, take: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self._take = take
        self._closed = closed

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed()

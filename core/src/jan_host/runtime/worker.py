"""The worker process: ``python -m jan_host.runtime.worker``.

It speaks the protocol of `frames` over the stdin and stdout that it was started with, and ends
when its stdin does: with its host, however that ended.
"""

import asyncio
import ctypes
import logging
import os
import signal
import sys
import threading

from jan_host.contract.errors import ProtocolError
from jan_host.runtime.frames import FrameSplitter
from jan_host.runtime.outbox import Outbox
from jan_host.runtime.serving import Server

_READ_BYTES = 256 * 1024
_EXIT_PROTOCOL = 2
_PR_SET_PDEATHSIG = 1


def claim_pipes() -> tuple[int, int]:
    """Take the protocol's pipes away from descriptors 0 and 1, where native code reads and prints.

    What is printed from now on goes to stderr.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="replace")
    return incoming, outgoing


def die_with_parent() -> None:
    """Ask Linux to kill this process when its host ends, for native code that never lets go of the GIL.

    A host that ended before this call is noticed by the end of stdin.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _read(incoming: int, loop: asyncio.AbstractEventLoop, server: Server) -> None:
    """Hand frames to the loop; runs in a thread of its own, so that a stuck loop can't outlive its host."""
    splitter = FrameSplitter()
    while data := _read_some(incoming):
        try:
            payloads = splitter.feed(data)
        except ProtocolError as error:
            loop.call_soon_threadsafe(_give_up, server, error)
            return
        for payload in payloads:
            loop.call_soon_threadsafe(server.receive, payload)
    os._exit(0)


def _read_some(incoming: int) -> bytes:
    try:
        return os.read(incoming, _READ_BYTES)
    except OSError:
        return b""


def _give_up(server: Server, error: ProtocolError) -> None:
    server.refuse(error)
    os._exit(_EXIT_PROTOCOL)


def _end(code: int) -> None:
    # Native code's destructors have been seen to hang and to crash; the model is free already.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def serve(incoming: int, outgoing: int) -> None:
    """Serve one host over two pipes; the process ends from within."""
    loop = asyncio.get_running_loop()
    outbox = Outbox(loop)
    await outbox.open(outgoing)
    server = Server(loop, outbox, _end)
    reader = threading.Thread(
        target=_read, args=(incoming, loop, server), name="jan-host-frames", daemon=True
    )
    reader.start()
    await asyncio.Event().wait()


def main() -> None:
    """Run a worker until its host lets it go."""
    incoming, outgoing = claim_pipes()
    die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(incoming, outgoing))


if __name__ == "__main__":
    main()

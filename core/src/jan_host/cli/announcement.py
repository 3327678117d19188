"""Where the server of a root is: it leaves its address there, and holds a lock while it lives.

The lock goes with the process, also when that is killed: an address that was left behind is
not believed, whoever has its port or its process id now.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from jan_host.config import Config
from jan_host.downloads.locking import is_locked, lock

SERVER_FILE = "server.json"
LOCK_FILE = "server.lock"

logger = logging.getLogger(__name__)


class Announcement(msgspec.Struct):
    """What stands in ``server.json``."""

    url: str
    pid: int


def announced(config: Config) -> str | None:
    """The address of the server that serves the root now; ``None`` without one."""
    try:
        said = msgspec.json.decode((config.root / SERVER_FILE).read_bytes(), type=Announcement)
        with open(config.root / LOCK_FILE, "rb") as file:
            return said.url if is_locked(file) else None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


@contextmanager
def announcing(config: Config) -> Iterator[Callable[[str], None]]:
    """Gives a function that leaves a server's address in the root; afterwards it is taken away.

    A root that can't be written, or that another server serves, is no reason not to serve: the
    log says how commands find this server then.
    """
    with ExitStack() as until_ended:

        def announce(url: str) -> None:
            try:
                if _hold(config.root, until_ended):
                    _write(config.root / SERVER_FILE, Announcement(url=url, pid=os.getpid()), until_ended)
                    return
                problem = f"Another jan-host serves {config.root}, at {announced(config)}"
            except OSError as error:
                problem = f"No address can be left in {config.root} ({error.strerror})"
            logger.warning("%s. To have a command talk to this one: --url %s", problem, url)

        yield announce


def _hold(root: Path, until_ended: ExitStack) -> bool:
    """Take the root's lock; ``False`` when another server has it."""
    file = until_ended.enter_context(open(root / LOCK_FILE, "a+b"))  # noqa: SIM115  # the stack closes it
    while not is_locked(file):
        try:
            lock(file)
        except OSError:
            continue  # a command was just asking whether there is a server
        return True
    return False


def _write(file: Path, announcement: Announcement, until_ended: ExitStack) -> None:
    partial = file.with_suffix(".partial")
    try:
        partial.write_bytes(msgspec.json.encode(announcement))
        partial.replace(file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    until_ended.callback(file.unlink, missing_ok=True)

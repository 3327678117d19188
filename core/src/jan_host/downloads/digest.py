"""The hash of a file that is still being written, so that nothing has to be read again at its end."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from jan_host.downloads.ledger import Ledger

STEP_BYTES = 1 << 20
STRETCH_BYTES = 16 << 20


class FrontDigest:
    """Hashes the part of a file that is here from the beginning on without a gap.

    It reads back what was written, from the system's cache as long as it follows closely, and so
    takes its time beside the connections' and not from it. Methods are called in threads.

    Args:
        path: The file.
        new: Makes the hash object.
        ledger: Says what of the file is here.
    """

    def __init__(self, path: Path, new: Callable[[], "hashlib._Hash"], ledger: Ledger) -> None:
        self._path = path
        self._ledger = ledger
        self._new = new
        self._hash = new()
        self._hashed = 0
        self._lock = threading.Lock()
        self._grown = threading.Event()
        self._stopped = False

    def follow(self) -> None:
        """Hash what comes as it comes, until the file is complete or `stop` is called."""
        while not self._stopped:
            if self.catch_up():
                continue
            if self._ledger.complete:
                return
            self._grown.wait()
            self._grown.clear()

    def wake(self) -> None:
        """There is more to hash, or the file is complete."""
        self._grown.set()

    def stop(self) -> None:
        """Let `follow` end, wherever it is."""
        self._stopped = True
        self._grown.set()

    def catch_up(self) -> bool:
        """Hash the next stretch of what lies on disk; ``False`` when there was nothing to hash."""
        with self._lock:
            began = self._hashed
            self._read(min(self._ledger.front, began + STRETCH_BYTES))
            return self._hashed > began

    def restart(self) -> None:
        """The file begins anew."""
        with self._lock:
            self._hash = self._new()
            self._hashed = 0

    def hexdigest(self) -> str:
        """The hash of what was hashed so far."""
        return self._hash.hexdigest()

    def _read(self, end: int) -> None:
        if self._hashed >= end:
            return
        buffer = memoryview(bytearray(min(STEP_BYTES, end - self._hashed)))
        with open(self._path, "rb", buffering=0) as file:
            file.seek(self._hashed)
            while self._hashed < end:
                count = file.readinto(buffer[: end - self._hashed])
                if not count:
                    raise OSError(f"{self._path} became shorter while it was fetched")
                self._hash.update(buffer[:count])
                self._hashed += count


def hash_of(
    sha256: str | None, git_sha1: str | None, size: int | None
) -> Callable[[], "hashlib._Hash"] | None:
    """What makes the hash that a plan promises; ``None`` when it promises none.

    Git's hash covers a header with the size (see git-hash-object), so it needs to be known.
    """
    if sha256 is not None:
        return hashlib.sha256
    if git_sha1 is not None and size is not None:
        return lambda: hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return None

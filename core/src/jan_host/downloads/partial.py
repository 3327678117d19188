"""A file that is on its way: what has come of it, its hash, and how to go on after a break."""

import contextlib
import hashlib
import os
import threading
from pathlib import Path
from typing import IO

from jan_host.contract.errors import ChecksumMismatchError

REHASH_BYTES = 16 << 20


class PartialFile:
    """A growing file and the SHA-256 of what it holds. Beside it lies the server's version mark.

    `append` and `absorb` block, so they are called in a thread; a lock keeps `close` (of a
    cancelled download) from cutting into one that still runs.

    Args:
        path: Where the bytes go; ``path + ".mark"`` holds the mark.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = 0
        self._mark_path = path.with_name(path.name + ".mark")
        self._hash = hashlib.sha256()
        self._lock = threading.Lock()
        self._file: IO[bytes] = open(path, "a+b")  # noqa: SIM115  # it lives as long as the object
        self._file.seek(0)

    def absorb(self) -> bool:
        """Take over the next stretch of what an earlier run left; ``False`` when all is taken."""
        with self._lock:
            if self._file.closed:
                return False
            chunk = self._file.read(REHASH_BYTES)
            self._hash.update(chunk)
            self.length += len(chunk)
            return bool(chunk)

    def append(self, chunk: bytes | bytearray) -> None:
        """Write and hash what has come."""
        with self._lock:
            if self._file.closed:
                return
            self._file.write(chunk)
            self._hash.update(chunk)
            self.length += len(chunk)

    @property
    def mark(self) -> str | None:
        """The ETag or date by which the server knows the version that lies here."""
        try:
            return self._mark_path.read_text(encoding="utf-8") or None
        except (OSError, UnicodeDecodeError):
            return None

    @mark.setter
    def mark(self, value: str | None) -> None:
        self._mark_path.write_text(value or "", encoding="utf-8")

    def restart(self) -> None:
        """Forget everything; the next byte is the first."""
        with self._lock:
            self._file.truncate(0)
            self._hash = hashlib.sha256()
            self.length = 0

    def verify(self, sha256: str | None, name: str) -> None:
        """Flush to the disk and compare.

        Raises:
            ChecksumMismatchError: The bytes are not those that were promised; they are deleted.
        """
        with self._lock:
            self._file.flush()
            os.fsync(self._file.fileno())
        try:
            compare(self._hash.hexdigest(), sha256, name)
        except ChecksumMismatchError:
            self.delete()
            raise

    def move(self, target: Path) -> None:
        """Close the file and give it its final name."""
        self.close()
        os.replace(self.path, target)
        self._mark_path.unlink(missing_ok=True)

    def delete(self) -> None:
        """Close the file and remove it."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._mark_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file and keep what it holds."""
        with self._lock, contextlib.suppress(OSError):  # a full disk: the flush fails, the file is shut
            self._file.close()


def compare(found: str, promised: str | None, name: str) -> None:
    """Hold a file's SHA-256 against the one that was promised, if one was.

    Raises:
        ChecksumMismatchError: They differ.
    """
    if promised is not None and found != promised.lower():
        raise ChecksumMismatchError(
            f"{name} is not the file that was promised: its SHA-256 is {found}, expected {promised.lower()}."
            " It is not used. Pull again; if it happens again, the file was changed or damaged at its origin."
        )

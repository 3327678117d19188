"""What files hold: bytes in memory, a file on the disk, or bytes that are made while they are sent."""

import functools
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 20


class Content(Protocol):
    """The bytes of a file."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def sha256(self) -> str:
        """Lower-case hex digits."""

    def read(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        """The bytes from `start` to before `end`, in chunks."""


class Bytes:
    """Content in memory."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.size = len(body)
        self.sha256 = hashlib.sha256(body).hexdigest()

    def read(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        view = memoryview(self._body)[start:end]
        for offset in range(0, len(view), CHUNK):
            yield view[offset : offset + CHUNK]


class OnDisk:
    """A real file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    @functools.cached_property
    def sha256(self) -> str:
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        with self._path.open("rb") as file:
            file.seek(start)
            while start < end and (chunk := file.read(min(CHUNK, end - start))):
                start += len(chunk)
                yield chunk


class Generated:
    """Large content that takes no room: random chunks, each begun by its own number.

    Args:
        size: Bytes.
        seed: Another seed makes other bytes.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self._noise = random.Random(seed).randbytes(CHUNK - 8)

    @functools.cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for chunk in self.read(0, self.size):
            digest.update(chunk)
        return digest.hexdigest()

    def read(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        while start < end:
            number, offset = divmod(start, CHUNK)
            chunk = number.to_bytes(8, "big") + self._noise
            view = memoryview(chunk)[offset : offset + end - start]
            start += len(view)
            yield view


def content_of(given: "Content | bytes | str | Path") -> Content:
    """What a test wrote, as content."""
    if isinstance(given, str):
        given = given.encode()
    if isinstance(given, bytes):
        return Bytes(given)
    return OnDisk(given) if isinstance(given, Path) else given

"""Bytes from one file to another, in threads, in steps short enough to be cancelled between."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

STEP_BYTES = 4 << 20


async def copy_stream(read: Callable[[int], bytes], target: Path) -> None:
    """Write everything that `read` gives into a new file, flushed to the disk."""
    with target.open("wb") as file:
        while await asyncio.to_thread(_step, read, file):
            pass
        await asyncio.to_thread(_flush, file)


async def copy_file(source: Path, target: Path) -> None:
    """Copy a file's content; `target` appears under its name when it is whole."""
    partial = target.with_name(f".{target.name}.copy")
    try:
        with source.open("rb") as file:
            await copy_stream(file.read, partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


async def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, STEP_BYTES):
            await asyncio.to_thread(digest.update, chunk)
    return digest.hexdigest()


def _step(read: Callable[[int], bytes], file: IO[bytes]) -> bool:
    chunk = read(STEP_BYTES)
    file.write(chunk)
    return bool(chunk)


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())

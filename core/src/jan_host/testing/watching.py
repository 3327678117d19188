"""Seeing what code does to the world outside while it runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OUTSIDE = ("open", "socket.", "subprocess.", "os.", "shutil.", "urllib.")
_watchers: list[list[str]] = []
_installed: list[bool] = []


def _hear(event: str, args: tuple[object, ...]) -> None:
    if _watchers and event.startswith(_OUTSIDE):
        for seen in _watchers:
            seen.append(f"{event}{args}")


@contextmanager
def outside_calls() -> Iterator[list[str]]:
    """The files, sockets and processes that the code inside touches, as Python's audit events tell."""
    if not _installed:
        sys.addaudithook(_hear)  # it stays for good: Python has no way to take one back
        _installed.append(True)
    seen: list[str] = []
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers.remove(seen)

"""A model's folder is made under a hidden name, and appears in one step."""

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from jan_host.downloads.locking import is_locked, lock
from jan_host.library.delete import DOOMED_SUFFIX

_SUFFIX = ".arriving"
_LOCK = ".lock"
_YOUNG_SECONDS = 60.0


class Staging:
    """A hidden folder, that goes with the block unless `arrive` gave it a name.

    A process that was killed leaves it behind; `sweep` takes it away.

    Args:
        parent: Where it is made, and will have its name.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self.folder = parent / f".{secrets.token_hex(8)}{_SUFFIX}"
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._lock = (self.folder / _LOCK).open("wb")
        lock(self._lock)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unlock()
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, filename: str) -> Path:
        """Where a file of the model goes; the folders above it are made."""
        path = self.folder / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def arrive(self, names: Iterable[str]) -> Path:
        """Give the folder the first of these names that nothing has.

        Raises:
            FileExistsError: All of them are taken.
            OSError: The folder can't be renamed.
        """
        if os.name == "nt":  # there, no folder with an open file can be renamed
            self._unlock()
        for target in (self._parent / name for name in names):
            with contextlib.suppress(FileExistsError):
                self._rename(target)
                (target / _LOCK).unlink()
                return target
        raise FileExistsError(errno.EEXIST, "It exists already", str(self._parent))

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def _rename(self, target: Path) -> None:
        """Rename to what does not exist.

        Raises:
            FileExistsError: It does.
        """
        target.mkdir()  # taken, whoever else wants it; an empty folder is no model
        try:
            if os.name == "nt":  # there, no folder may take the place of another
                target.rmdir()
            os.replace(self.folder, target)
        except OSError:
            with contextlib.suppress(OSError):
                target.rmdir()
            raise


def numbered(name: str) -> Iterator[str]:
    """A name, and the same with numbers behind it, without an end."""
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def sweep(models_folder: Path) -> None:
    """Remove what processes that were killed have left; what they brought lies where it came from."""
    for folder in models_folder.glob(f".*{_SUFFIX}"):
        try:
            with (folder / _LOCK).open("rb+") as file:
                is_busy = is_locked(file)
        except FileNotFoundError:  # made a moment ago, or long ago
            is_busy = time.time() - folder.stat().st_mtime < _YOUNG_SECONDS
        except OSError:
            continue
        if not is_busy:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in models_folder.glob(f".*{DOOMED_SUFFIX}"):
        shutil.rmtree(folder, ignore_errors=True)


def link_together(files: Mapping[Path, Path]) -> bool:
    """Give files further names, on the same disk.

    Args:
        files: The new name of each.

    Returns:
        Whether that was possible; else nothing has changed.
    """
    made: list[Path] = []
    try:
        for old, new in files.items():
            os.link(old, new)
            made.append(new)
    except OSError:  # a file system without hard links, or another disk
        for new in made:
            new.unlink(missing_ok=True)
        return False
    return True

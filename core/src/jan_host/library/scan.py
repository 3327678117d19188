"""What lies in the folders of models: names, times and sizes, nothing is opened.

Hidden files and folders (names that begin with a dot) are not seen, and neither are files that a
program is still fetching, where their names tell. Symbolic links are followed, after everything
that is no link, and no folder is seen twice.
"""

import contextlib
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_DEPTH = 8
"""Folders below the root that are looked into."""
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".opdownload", ".aria2", ".incomplete", ".tmp")
"""What browsers and other programs put behind the name of a file that they are still fetching."""

Stamp = tuple[int, int]
"""When a file was written, in nanoseconds, and its size in bytes."""


@dataclass(slots=True)
class Folder:
    """A folder as it was seen, or something in its place that could not be looked at."""

    path: str
    linked: bool
    """Whether a symbolic link below the root leads here."""
    files: dict[str, Stamp] = field(default_factory=dict)
    folders: list["Folder"] = field(default_factory=list)
    problem: str | None = None
    """Why it, or something in it, could not be looked at."""
    identity: tuple[int, int] | None = None
    """The device and the number by which the system tells folders apart."""

    @property
    def has_links(self) -> bool:
        """Whether a symbolic link leads here, or to a folder below."""
        return self.linked or any(folder.has_links for folder in self.folders)

    def all_files(self, prefix: str = "") -> Iterator[tuple[str, Stamp]]:
        """The files here and below: paths from here, with forward slashes."""
        for name, stamp in self.files.items():
            yield prefix + name, stamp
        for folder in self.folders:
            yield from folder.all_files(f"{prefix}{os.path.basename(folder.path)}/")

    def identities(self) -> Iterator[tuple[int, int]]:
        """What tells the folders apart, of this one and all below."""
        if self.identity:
            yield self.identity
        for folder in self.folders:
            yield from folder.identities()

    def problems(self) -> Iterator[str]:
        """The problems here and below."""
        if self.problem:
            yield self.problem
        for folder in self.folders:
            yield from folder.problems()


class Scan:
    """Looks into roots, one after the other; a folder that was seen belongs to the first."""

    def __init__(self) -> None:
        self.is_tangled = False
        """Whether a link leads to a file, to what was seen before, or nowhere: it may change from afar."""
        self._seen: set[tuple[int, int]] = set()
        self._links: deque[tuple[Folder, os.DirEntry[str], int]] = deque()

    def look(self, path: Path, depth: int = 0) -> Folder | None:
        """Everything below `path`; ``None`` when there is no such folder, or it was seen before.

        Args:
            path: A root, or a folder below one.
            depth: How far below.
        """
        try:
            found = os.stat(path)
        except OSError:
            return None
        if not stat.S_ISDIR(found.st_mode) or not self._is_new(found):
            return None
        folder = Folder(str(path), linked=False, identity=_identity(found))
        self._fill(folder, depth)
        while self._links:
            parent, entry, below = self._links.popleft()
            with contextlib.suppress(OSError):  # it may go while we look
                target = os.stat(entry.path)
                if self._is_new(target):
                    self._add(parent, entry.path, target, below, linked=True)
                else:
                    self.is_tangled = True
        return folder

    def _is_new(self, found: os.stat_result) -> bool:
        key = _identity(found)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _fill(self, folder: Folder, depth: int) -> None:
        if depth > MAX_DEPTH:
            folder.problem = f"{folder.path} lies more than {MAX_DEPTH} folders deep. Move it up."
            return
        try:
            with os.scandir(folder.path) as entries:
                found = sorted(entries, key=_name)
        except OSError as error:
            folder.problem = f"{folder.path} can't be read: {error.strerror}."
            return
        unfinished = set(unfinished_names(entry.name for entry in found))
        for entry in found:
            if not entry.name.startswith(".") and entry.name not in unfinished:
                self._take(folder, entry, depth)

    def _take(self, folder: Folder, entry: os.DirEntry[str], depth: int) -> None:
        if not _is_text(entry.name):
            reason = f"The name of {entry.path!r} is not text in UTF-8. Rename it."
            folder.folders.append(Folder(entry.path, linked=folder.linked, problem=reason))
            return
        try:
            found = entry.stat()
        except OSError as error:
            if entry.is_symlink():
                self.is_tangled = True
                reason = f"{entry.path} is a link that leads nowhere: {error.strerror}."
                if depth and entry.name.endswith(".json"):  # it would have told what the folder is
                    folder.problem = reason
                else:
                    folder.folders.append(Folder(entry.path, linked=True, problem=reason))
            return
        if stat.S_ISREG(found.st_mode):
            folder.files[entry.name] = (found.st_mtime_ns, found.st_size)
            self.is_tangled = self.is_tangled or entry.is_symlink()
        elif stat.S_ISDIR(found.st_mode) and entry.is_symlink():
            self._links.append((folder, entry, depth + 1))
        elif stat.S_ISDIR(found.st_mode):
            found = found if found.st_ino else os.stat(entry.path)  # an entry on Windows has no number
            if self._is_new(found):
                self._add(folder, entry.path, found, depth + 1, linked=folder.linked)

    def _add(self, parent: Folder, path: str, found: os.stat_result, depth: int, *, linked: bool) -> None:
        folder = Folder(path, linked=linked, identity=_identity(found))
        self._fill(folder, depth)
        parent.folders.append(folder)


def level(path: Path) -> Folder:
    """The files directly in a folder that has nothing to do with the library; no folder is looked into."""
    folder = Folder(str(path), linked=False)
    try:
        with os.scandir(path) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=_name)
    except OSError as error:
        folder.problem = f"{path} can't be read: {error.strerror}."
        return folder
    unfinished = set(unfinished_names(entry.name for entry in found))
    for entry in found:
        with contextlib.suppress(OSError):  # it may go while we look
            if entry.name not in unfinished and _is_text(entry.name) and entry.is_file():
                stamp = entry.stat()
                folder.files[entry.name] = (stamp.st_mtime_ns, stamp.st_size)
    return folder


def unfinished_names(names: Iterable[str]) -> Iterator[str]:
    """The names of what is still being fetched: the file that grows, and the one that it will become.

    Some programs make that one at once, empty or as long as it will be.
    """
    for name in names:
        lowered = name.lower()
        if lowered.endswith(UNFINISHED):
            yield name
            yield name[: lowered.rindex(".")]


def is_unfinished(path: Path) -> bool:
    """Whether a single file or folder is what `unfinished_names` names among its neighbours."""
    if path.name.lower().endswith(UNFINISHED):
        return True
    return any(os.path.exists(f"{path}{suffix}") for suffix in UNFINISHED)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _is_text(name: str) -> bool:
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that Python smuggles through as half surrogates
        return False
    return True

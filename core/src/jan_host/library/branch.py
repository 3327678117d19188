"""A part of a root that is read apart from the others, and the models in it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jan_host.library.documents import Documents
from jan_host.library.engines import Engines
from jan_host.library.entries import Entry, build, linked_files
from jan_host.library.groups import Group, split, split_root
from jan_host.library.scan import Folder, Stamp


@dataclass(slots=True)
class _Known:
    """A group, the entries made of it, and the state of the files outside that they link to."""

    group: Group
    entries: list[Entry]
    linked: dict[Path, Stamp | None]


class Branch:
    """What lies directly in a root, or one folder in it. While its files stay the same, none is read again.

    Args:
        engines: Who knows what the files are.
        owned: Whether it lies in the host's own folder.
        rank: Its place among the branches: the number of its root; whether it is a folder in it, and not
            what lies directly there, models beside each other; its path.
    """

    def __init__(self, engines: Engines, *, owned: bool, rank: tuple[int, bool, str]) -> None:
        self.folder: Folder | None = None
        """What was seen here last."""
        self.rank = rank
        self._engines = engines
        self._owned = owned
        self._documents = Documents()
        self._known: dict[Path, _Known] = {}
        self._links = False

    @property
    def is_root(self) -> bool:
        """Whether it is only what lies directly in a root."""
        return not self.rank[1]

    def entries(self) -> Iterator[Entry]:
        """The models here, broken ones included."""
        for known in self._known.values():
            yield from known.entries

    def update(self, folder: Folder) -> None:
        """Take in what was seen now."""
        if folder == self.folder and not (self._links and self._links_changed()):
            return
        cut = split_root if self.is_root else split
        known: dict[Path, _Known] = {}
        for group in cut(folder, self._documents):
            found = self._known.get(group.path)
            if found is None or found.group != group or found.linked != _stamps(found.linked):
                found = self._build(group)
            known[group.path] = found
        self._documents.forget_unused()
        self.folder, self._known = folder, known
        self._links = any(each.linked for each in known.values())

    def _links_changed(self) -> bool:
        return any(known.linked != _stamps(known.linked) for known in self._known.values() if known.linked)

    def _build(self, group: Group) -> _Known:
        entries = build(group, self._engines, owned=self._owned)
        linked = [file for entry in entries for file in linked_files(entry)]
        return _Known(group, entries, _stamps(linked))


def _stamps(files: Iterable[Path]) -> dict[Path, Stamp | None]:
    """When each file was written and how long it is; ``None`` for one that is not there."""
    stamps: dict[Path, Stamp | None] = {}
    for file in files:
        try:
            found = os.stat(file)
            stamps[file] = (found.st_mtime_ns, found.st_size)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            stamps[file] = None
    return stamps

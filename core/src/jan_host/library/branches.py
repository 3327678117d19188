"""All roots of a library, cut into branches that are looked at together or each alone."""

import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from jan_host.library.branch import Branch
from jan_host.library.documents import MODEL_FILE
from jan_host.library.engines import Engines
from jan_host.library.entries import Entry
from jan_host.library.scan import Folder, Scan, Stamp, is_unfinished


class _FarReachingError(Exception):
    """What changed may concern more than its own branch."""


class Branches:
    """What lies directly in each root is one branch, and so is each folder in it.

    Args:
        own: The host's own folder.
        others: Folders that are used in place.
        engines: Who knows what the files are.
    """

    def __init__(self, own: Path, others: Sequence[Path], engines: Engines) -> None:
        self._own = own
        self._roots = [own, *others]
        self._engines = engines
        self._branches: dict[str, Branch] = {}
        self._is_tangled = True
        self._homes: dict[tuple[int, int], str] = {}
        self.held: frozenset[str] = frozenset()
        """Paths of what lies directly in a root and is changing now: a look at everything leaves it as it
        was known."""
        self.settle_seconds = 0.0
        """What changed less than this before a look at everything is left as it was known, too."""
        self.young: set[Path] = set()
        """What the last look at everything left as it was, for that reason."""

    def entries(self) -> Iterator[Entry]:
        """All models, those of the first root first, broken ones included."""
        for branch in self._branches.values():
            yield from branch.entries()

    def look(self, at: Collection[Path] = ()) -> None:
        """Look at everything; at what is held, only where it is among the paths `at`."""
        at_places = {str(self.place_of(path)) for path in at}
        held = self.held - at_places
        youngest = time.time_ns() - int(self.settle_seconds * 1e9) if self.settle_seconds else None
        self.young = set()
        scan = Scan()
        branches: dict[str, Branch] = {}
        for root in self._roots:
            found = scan.look(root)
            for folder, is_root in self._cut(root, found) if found else ():
                branch = self._branch(root, folder.path, is_root=is_root)
                left = held
                if youngest is not None:
                    young = set(_young(folder, branch, youngest)) - at_places
                    self.young.update(map(Path, young))
                    left = held | young
                if is_root:
                    branch.update(_without_held(folder, branch, left))
                elif not _is_held(folder, left):
                    branch.update(folder)
                branches[folder.path] = branch
        self._branches = branches
        self._is_tangled = scan.is_tangled
        self._homes = {}

    def place_of(self, path: Path) -> Path | None:
        """What lies directly in a root, and is the path or leads to it; ``None`` for what is in no root."""
        root = next((root for root in self._roots if path != root and path.is_relative_to(root)), None)
        return None if root is None else root / path.relative_to(root).parts[0]

    def known_at(self, place: Path) -> dict[str, Stamp]:
        """The files of a place as they were seen last; paths from the place's root."""
        branch, level = self._branches.get(str(place)), self._branches.get(str(place.parent))
        if branch is not None and branch.folder is not None and place not in self._roots:
            return {f"{place.name}/{name}": stamp for name, stamp in branch.folder.all_files()}
        stamp = level.folder.files.get(place.name) if level is not None and level.folder else None
        return {} if stamp is None else {place.name: stamp}

    def look_at(self, paths: Collection[Path]) -> bool:
        """Look only at the branches in which these paths lie.

        Returns:
            Whether that was possible. Where a link or a root itself is concerned, it is not; nothing
            is changed then.
        """
        try:
            places = {self._place(path) for path in paths}
            seen = {place: self._see(*place) for place in places if not place[1].startswith(".")}
        except _FarReachingError:
            return False
        for (root, name), found in seen.items():
            self._take_in(root, name, found)
        return True

    def _cut(self, root: Path, found: Folder) -> Iterable[tuple[Folder, bool]]:
        """The branches of a root; whether each is the root's own level."""
        if root != self._own and MODEL_FILE in found.files:
            return [(found, False)]
        return [(replace(found, folders=[]), True), *((folder, False) for folder in found.folders)]

    def _branch(self, root: Path, path: str, *, is_root: bool) -> Branch:
        known = self._branches.get(path)
        if known is not None and known.is_root is is_root:
            return known
        rank = (self._roots.index(root), not is_root, path)
        return Branch(self._engines, owned=root == self._own, rank=rank)

    def _place(self, path: Path) -> tuple[Path, str]:
        """The root of a path, and the name of what it lies in there."""
        root = next((root for root in self._roots if path != root and path.is_relative_to(root)), None)
        if root is None or self._is_tangled:
            raise _FarReachingError
        level = self._branches.get(str(root))
        name = path.relative_to(root).parts[0]
        if level is None or not level.is_root or (root != self._own and name == MODEL_FILE):
            raise _FarReachingError
        return root, name

    def _see(self, root: Path, name: str) -> Folder | Stamp | None:
        """The folder or the file that has the name now."""
        path = root / name
        if is_unfinished(path):
            return None
        known = self._branches.get(str(path))
        if known and known.folder and (known.folder.has_links or known.folder.problem):
            raise _FarReachingError
        try:
            found = os.lstat(path)
        except OSError:
            return None
        if stat.S_ISREG(found.st_mode):
            return found.st_mtime_ns, found.st_size
        if not stat.S_ISDIR(found.st_mode):
            raise _FarReachingError
        return self._see_folder(path)

    def _see_folder(self, path: Path) -> Folder | None:
        scan = Scan()
        folder = scan.look(path, depth=1)
        if folder is None:
            return None
        if not self._homes:
            self._homes = {
                identity: home
                for home, branch in self._branches.items()
                for identity in (branch.folder.identities() if branch.folder else ())
            }
        homes = {self._homes.get(identity, folder.path) for identity in folder.identities()}
        if scan.is_tangled or folder.has_links or folder.problem or homes != {folder.path}:
            raise _FarReachingError
        return folder

    def _take_in(self, root: Path, name: str, found: Folder | Stamp | None) -> None:
        path = str(root / name)
        if isinstance(found, Folder):
            is_new = path not in self._branches
            branch = self._branches.setdefault(path, self._branch(root, path, is_root=False))
            branch.update(found)
            self._homes.update(dict.fromkeys(found.identities(), path))
            if is_new:
                self._sort()
        else:
            self._branches.pop(path, None)
        self._take_in_file(self._branches[str(root)], name, None if isinstance(found, Folder) else found)

    def _take_in_file(self, level: Branch, name: str, stamp: Stamp | None) -> None:
        """Tell the branch of a root's own level what has become of one name in it."""
        if level.folder is None or level.folder.files.get(name) == stamp:
            return
        files = {each: found for each, found in level.folder.files.items() if each != name}
        if stamp is not None:
            files[name] = stamp
        level.update(replace(level.folder, files=dict(sorted(files.items()))))

    def _sort(self) -> None:
        """Bring a new branch to the place that a look at everything would give it."""
        self._branches = dict(sorted(self._branches.items(), key=lambda item: item[1].rank))


def _is_held(folder: Folder, held: Collection[str]) -> bool:
    # A root that is one model is a branch too, and what is held lies in it.
    return folder.path in held or any(os.path.dirname(path) == folder.path for path in held)


def _without_held(level: Folder, branch: Branch, held: Collection[str]) -> Folder:
    """A root's own level, with what is changing there as it was known."""
    names = {os.path.basename(path) for path in held if os.path.dirname(path) == level.path}
    if not names:
        return level
    known = branch.folder.files if branch.folder else {}
    kept = {name: stamp for name, stamp in known.items() if name in names and name in level.files}
    now = {name: stamp for name, stamp in level.files.items() if name not in names}
    return replace(level, files=dict(sorted((now | kept).items())))


def _young(folder: Folder, branch: Branch, youngest: int) -> Iterator[str]:
    """What lies directly in a root and has changed a moment ago; the time is in nanoseconds."""
    if branch.folder == folder:
        return
    known = dict(branch.folder.all_files()) if branch.folder else {}
    for name, stamp in folder.all_files():
        if stamp[0] > youngest and not name.endswith(".json") and known.get(name) != stamp:
            yield f"{folder.path}/{name}" if branch.is_root else folder.path

"""What changed a moment ago, until it has come to rest: a copy that goes on is not looked at."""

import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from jan_host.library.scan import Scan, Stamp

SETTLE_SECONDS = 0.3
"""What did not change for so long has come to rest, if an engine can read it."""
PATIENCE_SECONDS = 10.0
"""A copy may pause. What no engine can read, as the beginning of a file, is shown as broken after so long."""

Files = dict[str, Stamp]
"""The files of a place: their paths from the place's root, and when each was written."""


@dataclass(slots=True)
class _Moving:
    files: Files
    since: float


class Settling:
    """The places that changed, each of which is something that lies directly in a root.

    Args:
        is_whole: Whether engines can read all of these files of a place, or know none of them.
        known: The files of a place as they were before.
    """

    def __init__(
        self, is_whole: Callable[[Path, Collection[str]], bool], known: Callable[[Path], Files]
    ) -> None:
        self._is_whole = is_whole
        self._known = known
        self._moving: dict[Path, _Moving] = {}

    @property
    def places(self) -> Collection[Path]:
        """What is not at rest."""
        return self._moving.keys()

    def note(self, place: Path, now: float) -> None:
        """Something changed there.

        Args:
            place: Where.
            now: In seconds, by any clock that only goes forward.
        """
        self._moving.setdefault(place, _Moving({}, now))  # the files themselves tell until when they change

    def settled(self, now: float) -> set[Path]:
        """What has come to rest, and is no longer followed; looks at the files, and at times into them."""
        done = {place for place, moving in list(self._moving.items()) if self._is_at_rest(place, moving, now)}
        for place in done:
            del self._moving[place]
        return done

    def _is_at_rest(self, place: Path, moving: _Moving, now: float) -> bool:
        files = dict(_files_at(place))
        if files != moving.files:
            moving.files, moving.since = files, now
            known = self._known(place)
            # What only went, or moved to another place in one step, is not half there.
            return not (files.items() - known.items())
        rest = now - moving.since
        if rest < SETTLE_SECONDS:
            return False
        new = {name for name, _ in files.items() - self._known(place).items()}
        return rest >= PATIENCE_SECONDS or self._is_whole(place, new)


def _files_at(place: Path) -> Iterator[tuple[str, Stamp]]:
    try:
        found = os.stat(place)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return
    if stat.S_ISREG(found.st_mode):
        yield place.name, (found.st_mtime_ns, found.st_size)
        return
    folder = Scan().look(place, depth=1)
    if folder is not None:
        for name, stamp in folder.all_files():
            yield f"{place.name}/{name}", stamp

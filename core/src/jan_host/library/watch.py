"""Follow what happens in the folders of models, as the system tells it, and see what it does not tell."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from pathlib import Path

from jan_host.library.entries import linked_files
from jan_host.library.library import Library
from jan_host.library.settling import SETTLE_SECONDS, Settling

TICK_SECONDS = 0.1
"""How often what moves is looked at."""
QUIET_SECONDS = 2.0
"""Nothing has moved for so long: who dropped several files is done."""
SURVEY_SECONDS = 2.0
"""How often is looked for what no system tells: disks that come and go, linked files."""
POLL_SECONDS = 1.0
"""How often the folders are looked at where the system tells nothing."""
OVERVIEW_SECONDS = 60.0
"""How often everything is looked at: what another machine does on a network's disk is told by nobody."""
OVERVIEW_REST = 100.0
"""How many times longer than a look at everything the pause behind it is, at least."""
RETRY_SECONDS = 10.0
CATCH_UP_SECONDS = 1.0
"""How long someone waits who asks for what may just have come."""

Tell = Callable[[Collection[Path] | None], Awaitable[None]]

logger = logging.getLogger("jan_host.library")


class Watch:
    """Tells what came to rest. Used on one event loop.

    Args:
        library: Whose folders are followed.
        roots: Those folders; one that is not there is followed from when it comes.
        tell: Called with what changed and is whole; with ``None`` where anything may have changed.
        rested: Called when nothing has moved for a while.
    """

    def __init__(
        self, library: Library, roots: Sequence[Path], *, tell: Tell, rested: Callable[[], Awaitable[None]]
    ) -> None:
        self._library = library
        self._roots = [root.absolute() for root in roots]
        self._tell = tell
        self._rested = rested
        self._settling = Settling(library.is_whole, library.known_at)
        self._moved = asyncio.Event()
        self._still = asyncio.Event()
        self._restart = asyncio.Event()
        self._identities: dict[Path, object] = {}
        self._links: dict[Path, object] = {}
        self.trusted = asyncio.Event()
        """Set while the system tells of every change: nobody need look by himself."""

    async def run(self) -> None:
        """Follow until cancelled."""
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # else it tells of each batch
        self._identities = self._identify()
        self._library.follow(SETTLE_SECONDS)
        self._note_loose_files()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._settle())
            group.create_task(self._survey())

    async def caught_up(self) -> None:
        """Return when what changed has been told of; what takes long is not waited for."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._still.wait(), CATCH_UP_SECONDS)

    async def _listen(self) -> None:
        """Hear of changes; where the system can't tell them, compare the folders again and again."""
        is_polling = False
        while True:
            self._restart = asyncio.Event()
            try:
                await self._hear(is_polling)
            except (OSError, RuntimeError) as error:
                logger.warning(
                    "The folders of models can't be watched (%s); they are compared every %g s from now on."
                    " On Linux the limits are fs.inotify.max_user_watches and max_user_instances.",
                    error,
                    POLL_SECONDS,
                )
                if is_polling or not self._present():
                    await asyncio.sleep(RETRY_SECONDS)
                is_polling = True
            finally:
                self.trusted.clear()

    async def _hear(self, is_polling: bool) -> None:
        """Note changes until the roots that are there are others.

        Raises:
            OSError: They can't be watched, so or at all.
            RuntimeError: The same, in the words of the library.
        """
        from watchfiles import awatch  # other commands than `serve` do without

        roots = self._present()
        if not roots:
            await self._restart.wait()
            return
        changes = awatch(
            *roots,
            watch_filter=None,
            debounce=200,
            step=50,
            rust_timeout=500,
            yield_on_timeout=True,
            stop_event=self._restart,
            force_polling=is_polling,
            poll_delay_ms=int(POLL_SECONDS * 1000),
            ignore_permission_denied=True,
        )
        is_first = True
        async for batch in changes:
            if is_first:
                is_first = False
                await self._tell_all()  # what changed before the first word
                if not is_polling:
                    self.trusted.set()
            self.note(Path(path) for _, path in batch)

    def note(self, paths: Iterable[Path]) -> None:
        """Something changed there."""
        now = time.monotonic()
        places = {place for path in paths if (place := self._library.place_of(path)) is not None}
        for place in places:
            if not place.name.startswith("."):
                self._settling.note(place, now)
        self._library.hold(self._settling.places)
        if self._settling.places:
            self._still.clear()
            self._moved.set()

    def _note_loose_files(self) -> None:
        """What lies directly in the roots at the beginning may still be copied, or wait for its folder."""
        self.note(
            entry.folder / source.filename
            for entry in self._library.entries()
            if entry.folder in self._roots
            for source in entry.model.sources
        )

    async def _settle(self) -> None:
        """Tell what has come to rest."""
        while True:
            while self._settling.places:
                await asyncio.sleep(TICK_SECONDS)
                settled = await asyncio.to_thread(self._settling.settled, time.monotonic())
                self._library.hold(self._settling.places)
                if settled:
                    await self._tell(settled)
            self._still.set()
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), QUIET_SECONDS)
            except TimeoutError:
                await self._rested()
                await self._moved.wait()

    async def _tell_all(self) -> None:
        """Have everything looked at, and what was found is tidied up as if it had just come to rest."""
        await self._tell(None)
        self._moved.set()

    async def _survey(self) -> None:
        """See what nobody tells."""
        overview = time.monotonic() + OVERVIEW_SECONDS
        while True:
            await asyncio.sleep(SURVEY_SECONDS)
            self._survey_roots()
            folders = await asyncio.to_thread(self._changed_links)
            if folders:
                await self._tell(folders)
            begun = time.monotonic()
            if begun >= overview or self._restart.is_set():
                await self._tell_all()
                now = time.monotonic()
                overview = now + max(OVERVIEW_SECONDS, OVERVIEW_REST * (now - begun))

    def _survey_roots(self) -> None:
        """Begin anew where a root came, went, or is another one: a disk was mounted in its place."""
        found = self._identify()
        if found == self._identities:
            return
        for root in self._roots:
            if found[root] is None and self._identities[root] is not None:
                logger.warning("%s is gone. Its models are back when it is: is its disk mounted?", root)
        self._identities = found
        self._restart.set()

    def _changed_links(self) -> set[Path]:
        """The folders of models whose linked files came, went or changed since the last call."""
        changed: set[Path] = set()
        links: dict[Path, object] = {}
        for entry in self._library.entries():
            for file in linked_files(entry):
                links[file] = _stamp(file)
                if file in self._links and self._links[file] != links[file]:
                    changed.add(entry.folder)
        self._links = links
        return changed

    def _present(self) -> list[Path]:
        return [root for root in self._roots if root.is_dir()]

    def _identify(self) -> dict[Path, object]:
        """What tells each root from another in its place; ``None`` for one that is not there."""
        return {root: _identity(root) for root in self._roots}


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return found.st_mtime_ns, found.st_size

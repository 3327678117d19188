"""A host that serves follows its folders: what is dropped there becomes a model without being asked for."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

from jan_host.intake.drops import Drops
from jan_host.intake.staging import sweep
from jan_host.library import Library
from jan_host.library.watch import Watch

Look = Callable[[Collection[Path] | None], Awaitable[None]]


class Following:
    """Watches the folders of models from `begin` on.

    Args:
        library: What is on disk.
        models_folder: The host's own.
        folders: Those that are used in place.
        drops: Tidies the host's own folder up.
        look: Looks at paths, or at everything, and tells what changed.
    """

    def __init__(
        self, library: Library, models_folder: Path, folders: Sequence[Path], drops: Drops, look: Look
    ) -> None:
        self._models_folder = models_folder
        self._drops = drops
        self._look = look
        self._watch = Watch(library, [models_folder, *folders], tell=look, rested=self._tidy)
        self._running: asyncio.Task[None] | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether every change is told of, so that nobody need look for one."""
        return self._watch.trusted.is_set()

    async def listening(self) -> None:
        """Return when every change is told of."""
        await self._watch.trusted.wait()

    def begin(self) -> None:
        """Watch from now on."""
        self._running = asyncio.create_task(self._run(), name="watch the models")

    async def close(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    def note(self, paths: Collection[Path]) -> None:
        """Something changed there, and may still."""
        if self._running is not None:
            self._watch.note(paths)

    async def caught_up(self) -> None:
        """Wait a moment for what is on its way into the library."""
        if self._running is not None:
            await self._watch.caught_up()

    async def _run(self) -> None:
        await asyncio.to_thread(sweep, self._models_folder)
        await self._watch.run()

    async def _tidy(self) -> None:
        await self._drops.tidy()
        await self._look(())

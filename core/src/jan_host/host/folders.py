"""The library kept in step with the folders of models, and with what is in memory."""

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path

from jan_host.contract.events import Event, LibraryEvent
from jan_host.host.catalog import Catalog
from jan_host.host.following import Following
from jan_host.host.leaving import Leaving
from jan_host.host.looks import Looks
from jan_host.intake.drops import Drops
from jan_host.library import Library
from jan_host.runtime import Runtime


class Folders:
    """Looks at the folders, tells what changed there, and stops models whose files are gone.

    Used on one event loop.

    Args:
        library: What is on disk.
        catalog: How models are shown.
        runtime: What is in memory.
        drops: Tidies up what is dropped into the host's own folder.
        publish: Tells an event.
        models_folder: The host's own.
        used: Folders that are used in place.
    """

    def __init__(
        self,
        library: Library,
        catalog: Catalog,
        runtime: Runtime,
        drops: Drops,
        publish: Callable[[Event], object],
        *,
        models_folder: Path,
        used: Collection[Path],
    ) -> None:
        self._library = library
        self._catalog = catalog
        self._runtime = runtime
        self._publish = publish
        self._leaving = Leaving(runtime)
        self.following = Following(library, models_folder, list(used), drops, self._look)
        self._looks = Looks(
            self._look_around, lambda: len(library.entries()), lambda: self.following.is_trusted
        )

    async def refresh(self) -> None:
        """See what is on disk now."""
        await self._looks.refresh()

    async def glance(self) -> None:
        """As `refresh`; where there are many models, what is there already is shown meanwhile."""
        await self._looks.glance()

    async def look_for(self, model_id: str) -> None:
        """See whether a model of which nothing is known was dropped into a folder a moment ago."""
        await self.refresh()
        if not self.has(model_id):
            await self.following.caught_up()

    def has(self, model_id: str) -> bool:
        """Whether a model with exactly that id is known."""
        return any(entry.model.id == model_id for entry in self._library.entries())

    async def left(self) -> None:
        """Wait until the models whose files are gone have left memory."""
        await self._leaving.over()

    async def _look(self, paths: Collection[Path] | None) -> None:
        if paths is None:
            await self.refresh()
        else:
            await self._look_at(paths)

    async def _look_around(self) -> None:
        await self._look_at(None)

    async def _look_at(self, paths: Collection[Path] | None) -> None:
        changed = await asyncio.to_thread(self._library.refresh, paths)
        if paths is None:
            self.following.note(self._library.young())
        await asyncio.to_thread(self._catalog.prepare)
        if not changed:
            return
        self._publish(LibraryEvent(models=sorted(changed)))
        present = {entry.model.id for entry in self._library.entries()}
        for model_id in self._runtime.running():
            if model_id not in present:
                self._leaving.begin(model_id)

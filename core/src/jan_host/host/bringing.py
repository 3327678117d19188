"""Imports from this machine's disks and exports to them, beside the event loop."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from jan_host.contract.errors import ConflictError, ForbiddenError
from jan_host.contract.importer import Importer
from jan_host.downloads.threads import in_thread
from jan_host.intake.discoveries import Found, discover
from jan_host.intake.export import export
from jan_host.intake.local import LocalImport, LocalImports, Progress, no_progress
from jan_host.library import Entry, Library
from jan_host.library.engines import Engines

ResultT = TypeVar("ResultT")


class Bringing:
    """Carries imports and exports out, each in a thread, one after the other.

    Args:
        library: Where models are.
        imports: Brings them.
        importers: Some know what other programs have.
        engines: Who can read files.
        refresh: Called when a model has come.
        local_paths: Whether also those of other machines may name files of this one.
    """

    def __init__(
        self,
        library: Library,
        imports: LocalImports,
        importers: Sequence[Importer],
        engines: Engines,
        refresh: Callable[[], Awaitable[None]],
        *,
        local_paths: bool,
    ) -> None:
        self._library = library
        self._imports = imports
        self._importers = importers
        self._engines = engines
        self._refresh = refresh
        self._local_paths = local_paths
        self._turn = asyncio.Lock()

    async def bring(
        self, request: LocalImport, *, local: bool, progress: Progress = no_progress
    ) -> list[str]:
        """Import, and return the ids of the models; nothing is left where this is cancelled.

        Raises:
            ForbiddenError: Who asks may not name files of this machine.
            JanHostError: As `LocalImports.run`.
        """
        if not local and not self._local_paths:
            raise ForbiddenError(
                "Files of this machine are imported only for its own users. Run `jan-host import` there, or"
                " let the operator set [downloads] local_paths = true."
            )
        try:
            return await self._beside(progress, lambda report: self._imports.run(request, report))
        finally:
            await self._refresh()

    async def discover(self) -> list[Found]:
        """The models that other programs have on this machine, and that are none here yet."""

        def work(report: Progress) -> list[Found]:
            found = discover(self._importers, self._engines)
            return [each for each in found if self._imports.known_as(each.model.files(each.place)) is None]

        return await self._beside(no_progress, work)

    async def link(self, found: Sequence[Found]) -> list[str]:
        """Link what was found, and return the ids of the models."""
        try:
            return await self._beside(
                no_progress, lambda report: [self._imports.link(each.model) for each in found]
            )
        finally:
            await self._refresh()

    async def export(self, entry: Entry, target: Path, progress: Progress) -> None:
        """Copy a model into a folder of its own."""
        await self._beside(progress, lambda report: export(self._library, entry, target, report))

    async def _beside(self, progress: Progress, work: Callable[[Progress], ResultT]) -> ResultT:
        ending = threading.Event()

        def report(done: int, total: int) -> None:
            if ending.is_set():
                raise ConflictError("The import was cancelled.")
            progress(done, total)

        async with self._turn:
            with ThreadPoolExecutor(1, thread_name_prefix="import") as executor:
                return await in_thread(executor, lambda: work(report), ending.set)

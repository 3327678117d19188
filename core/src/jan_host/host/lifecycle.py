"""What is done to a model as a whole: start, stop, change, delete."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from jan_host.contract.errors import ConflictError, JanHostError, ModelNotFoundError
from jan_host.downloads import Downloads
from jan_host.host.changes import ModelPatch, change
from jan_host.host.finding import Finding
from jan_host.host.folders import Folders
from jan_host.host.gate import Gate
from jan_host.host.imports import Imports
from jan_host.host.launches import Launches
from jan_host.library import Entry, Library
from jan_host.runtime import Runtime


class Lifecycle:
    """Takes models into memory and out, changes and removes them.

    Args:
        library: What is on disk.
        runtime: What is in memory.
        launches: How each model starts.
        finding: Finds the model that is meant.
        folders: Sees what was done on disk.
        imports: Which models are on their way.
        downloads: Cancels those.
        gate: Whether new work is taken.
    """

    def __init__(
        self,
        library: Library,
        runtime: Runtime,
        launches: Launches,
        finding: Finding,
        folders: Folders,
        imports: Imports,
        downloads: Downloads,
        gate: Gate,
    ) -> None:
        self._library = library
        self._runtime = runtime
        self._launches = launches
        self._finding = finding
        self._folders = folders
        self._imports = imports
        self._downloads = downloads
        self._gate = gate

    async def start(self, model_id: str, overrides: Mapping[str, Any] | None) -> Entry:
        """Start a model and wait until it is ready."""
        self._gate.check()
        entry = await self._finding.to_run(model_id)
        if overrides:
            overrides = self._launches.override(entry, overrides)
        try:
            await self._runtime.start(self._launches.of(entry), explicit=True)
        except JanHostError:
            if overrides:
                self._launches.withdraw(entry.model.id, overrides)  # a later request fares better without
            raise
        return entry

    async def stop(self, model_id: str) -> Entry:
        """Let the running requests end, then free the model's memory."""
        entry = await self._finding.to_change(model_id)
        self._launches.forget(entry.model.id)
        await self._runtime.stop(entry.model.id)
        return entry

    async def change(self, model_id: str, patch: ModelPatch) -> Entry:
        """Change fields of a model's model.json."""
        entry = await self._finding.to_change(model_id)
        await asyncio.to_thread(change, self._library, entry, patch)
        await self._folders.refresh()
        return entry

    async def delete(self, model_id: str, *, cancel: bool) -> None:
        """Stop a model and remove what the host owns of it; `cancel` gives one up that is on its way."""
        if await self._gave_up(model_id, cancel=cancel):
            return
        entry = await self._finding.to_change(model_id)
        self._launches.forget(entry.model.id)
        gone = ModelNotFoundError(f"The model {entry.model.id!r} is deleted.", param="model")
        async with self._runtime.removing(entry.model.id, gone):
            await asyncio.to_thread(self._library.delete, entry.model.id)
            await self._folders.refresh()

    async def _gave_up(self, model_id: str, *, cancel: bool) -> bool:
        """End the download that brings a model; whether nothing is left of it."""
        download = self._imports.running(model_id)
        if download is None:
            return False
        if not cancel:
            raise ConflictError(
                f"The model {model_id!r} is being downloaded. Wait, or delete it with ?cancel=true."
            )
        with contextlib.suppress(ConflictError):  # complete by now: it goes like any other
            await self._downloads.cancel(download.id, drop=True)
        await self._folders.refresh()
        return not self._folders.has(model_id)

"""From what a request calls a model to the library's entry of it."""

from jan_host.contract.errors import ConflictError, InvalidRequestError, ModelNotFoundError
from jan_host.host.folders import Folders
from jan_host.host.gate import Gate
from jan_host.host.imports import Imports
from jan_host.library import Entry, Library
from jan_host.runtime import Runtime

SHOWN = 10
"""Names of models that an error lists."""


class Finding:
    """Finds the model that is meant, and has its files fetched where the operator allows it.

    Args:
        library: What is on disk.
        runtime: What is in memory.
        folders: Where a model may have been dropped a moment ago.
        imports: Which models are on their way.
        gate: Whether new work is taken.
        fetches: Whether a request for a model fetches its files.
    """

    def __init__(
        self,
        library: Library,
        runtime: Runtime,
        folders: Folders,
        imports: Imports,
        gate: Gate,
        *,
        fetches: bool,
    ) -> None:
        self._library = library
        self._runtime = runtime
        self._folders = folders
        self._imports = imports
        self._gate = gate
        self._fetches = fetches

    async def to_run(self, model_id: str | None) -> Entry:
        """The model that a request wants to use; with its files, if they can be fetched.

        Args:
            model_id: As the request says; None means the only one that runs, or is there.

        Raises:
            ModelNotFoundError: There is none with that id.
            InvalidRequestError: None is named, and several could be meant.
            ConflictError: It is being downloaded.
            JanHostError: Its files could not be fetched.
        """
        entry = await self._find(model_id)
        if self._fetches and entry.available:
            self._gate.check()
            await self._imports.bring(entry.model.id)
            entry = self._library.get(entry.model.id)
        return self._complete(entry)

    async def to_change(self, model_id: str) -> Entry:
        """The model that is to be stopped, changed, copied or deleted.

        Raises:
            ModelNotFoundError: There is none with that id.
            ConflictError: It is being downloaded.
        """
        return self._complete(await self._find(model_id))

    async def _find(self, model_id: str | None) -> Entry:
        # The seeds write some ids with a slash in front, which is no part of the id.
        return self._only() if model_id is None else await self._named(model_id.lstrip("/"))

    async def _named(self, model_id: str) -> Entry:
        try:
            return self._library.get(model_id)
        except ModelNotFoundError:
            await self._folders.look_for(model_id)
            return self._library.get(model_id)

    def _only(self) -> Entry:
        running = self._runtime.running()
        if len(running) == 1:
            return self._library.get(running[0])
        usable = [entry for entry in self._library.entries() if entry.usable]
        if not running and len(usable) == 1:
            return usable[0]
        names = ", ".join(running or [entry.model.id for entry in usable[:SHOWN]]) or "none yet"
        raise InvalidRequestError(
            f"The request names no model, and not exactly one is running. Set 'model' to one of: {names}.",
            param="model",
        )

    def _complete(self, entry: Entry) -> Entry:
        if self._imports.running(entry.model.id) is not None:
            raise ConflictError(f"The model {entry.model.id!r} is still being downloaded.", param="model")
        return entry

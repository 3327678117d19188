"""One model as users see it: from the library, or from what is on its way."""

from jan_host.contract.errors import ModelNotFoundError
from jan_host.contract.model import ModelInfo
from jan_host.host.catalog import Catalog
from jan_host.host.describing import describe_download
from jan_host.host.folders import Folders
from jan_host.host.imports import Imports
from jan_host.library import Entry, Library
from jan_host.runtime import Runtime


class Showing:
    """Finds what to tell of a model.

    Args:
        library: What is on disk.
        runtime: What is in memory.
        catalog: Describes both.
        imports: What is on its way.
        folders: Where a model may have been dropped a moment ago.
    """

    def __init__(
        self, library: Library, runtime: Runtime, catalog: Catalog, imports: Imports, folders: Folders
    ) -> None:
        self._library = library
        self._runtime = runtime
        self._catalog = catalog
        self._imports = imports
        self._folders = folders

    def model(self, model_id: str) -> ModelInfo:
        """The model as it is known now.

        Raises:
            ModelNotFoundError: There is none with that id.
        """
        try:
            return self.entry(self._library.get(model_id))
        except ModelNotFoundError:
            download = self._imports.running(model_id)
            if download is None:
                raise
            return describe_download(download)

    async def look_up(self, model_id: str) -> ModelInfo:
        """As `model`; one of which nothing is known is looked for.

        Raises:
            ModelNotFoundError: There is none with that id.
        """
        await self._folders.glance()
        try:
            return self.model(model_id)
        except ModelNotFoundError:
            await self._folders.look_for(model_id)
            return self.model(model_id)

    def entry(self, entry: Entry) -> ModelInfo:
        """A model of the library, with what it does now."""
        return self._catalog.describe(
            entry,
            self._runtime.status(entry.model.id),
            downloading=self._imports.running(entry.model.id) is not None,
        )

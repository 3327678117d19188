"""The importers ``default``, ``thebloke`` and ``janhq``. All commands of jan-host load this module."""

from typing import ClassVar

from jan_host import Importer, ImportOptions, ImportPlan

from jan_host_huggingface.claims import importer_for
from jan_host_huggingface.settings import Settings


class HubImporter(Importer):
    """What the three have in common.

    Args:
        settings: ``[plugins.huggingface]``.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()

    def accepts(self, origin: str) -> bool:
        """Addresses of the hub, ``hf://...`` and ``org/repo``, each for one of the three importers."""
        return importer_for(origin, self._settings) == self.name


class DefaultImporter(HubImporter):
    """A repository of a hub: the files of one model in it, in the layout that they have there."""

    name: ClassVar[str] = "default"

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Ask the hub for the repository's files, and plan one variant of its model.

        Args:
            origin: See `jan_host_huggingface.origins`.
            options: A variant is a quantization, a number format, or a file's name.

        Raises:
            OriginNotFoundError: There is no such repository, revision, file or variant.
            ImportFailedError: The hub can't be reached, refuses, or tells nonsense.
        """
        from jan_host_huggingface.planning import make_plan

        return await make_plan(self.name, origin, options, self._settings)


class TheBlokeImporter(HubImporter):
    """``TheBloke/NAME-GGUF``: one GGUF file, called ``NAME.QUANTIZATION.gguf``, for each quantization."""

    name: ClassVar[str] = "thebloke"

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """As `DefaultImporter.resolve`; ``NAME-GGUF`` alone means TheBloke's."""
        from jan_host_huggingface.planning import make_plan

        return await make_plan(self.name, origin, options, self._settings, organisation="TheBloke")


class JanHQImporter(HubImporter):
    """A repository that says itself how to run its model: by model.json, or by model.yml and branches."""

    name: ClassVar[str] = "janhq"

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """As `DefaultImporter.resolve`; a variant may be a branch."""
        from jan_host_huggingface.configured import make_configured_plan

        return await make_configured_plan(self.name, origin, options, self._settings)

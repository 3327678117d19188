"""The importers of jan-host for model hubs that speak Hugging Face's API: default, thebloke, janhq."""

from collections.abc import Iterable

from jan_host import Importer, PluginContext, hookimpl

from jan_host_huggingface.importers import DefaultImporter, JanHQImporter, TheBlokeImporter
from jan_host_huggingface.settings import Settings

__all__ = ["Settings", "jan_importers"]


@hookimpl
def jan_importers(context: PluginContext) -> Iterable[Importer]:
    """The importers ``default``, ``thebloke`` and ``janhq``."""
    settings = context.settings
    return [TheBlokeImporter(settings), JanHQImporter(settings), DefaultImporter(settings)]

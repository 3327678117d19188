"""Finds the models that other programs have brought to this machine."""

from collections.abc import Iterable

from jan_host import Importer, hookimpl

from jan_host_caches.importers import HubCache, Jan, LMStudio, Ollama


@hookimpl
def jan_importers() -> Iterable[Importer]:
    """The importers ``hf-cache``, ``lm-studio``, ``ollama`` and ``jan``."""
    return [HubCache(), LMStudio(), Ollama(), Jan()]

"""Remote OpenAI and Azure OpenAI models for jan-host: not built yet, so this plugin adds nothing."""

from collections.abc import Iterable

from jan_host import Engine, Importer, hookimpl


@hookimpl
def jan_engines() -> Iterable[Engine]:
    """No engine yet; see the README for what will come."""
    return ()


@hookimpl
def jan_importers() -> Iterable[Importer]:
    """No importer yet; see the README for what will come."""
    return ()

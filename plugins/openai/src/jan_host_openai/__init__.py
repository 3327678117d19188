"""Remote OpenAI and Azure OpenAI models for jan-host, and every server that speaks their API."""

from collections.abc import Iterable

from jan_host import Engine, Importer, PluginContext, hookimpl

from jan_host_openai.engine import AzureOpenAIEngine, OpenAIEngine
from jan_host_openai.importer import AzureImporter, OpenAIImporter
from jan_host_openai.keys import Settings

__all__ = ["Settings", "jan_engines", "jan_importers"]


@hookimpl
def jan_engines() -> Iterable[Engine]:
    """The engines ``openai`` and ``azure_openai``."""
    return [OpenAIEngine(), AzureOpenAIEngine()]


@hookimpl
def jan_importers(context: PluginContext) -> Iterable[Importer]:
    """The importers of the same names."""
    keys = context.settings.keys if context.settings else {}
    return [OpenAIImporter(keys), AzureImporter(keys)]

"""An example engine for jan-host, in pure Python: it continues texts as a text that it has read went on.

The module is the plugin: the entry point names it, and the host calls the hooks it defines.
"""

from collections.abc import Iterable

from jan_host import Engine, hookimpl

from jan_host_example_engine.engine import NgramEngine


@hookimpl
def jan_engines() -> Iterable[Engine]:
    """Hand the host the engine."""
    return [NgramEngine()]

"""Where an engine comes from, in a form that travels to a worker process."""

from typing import Any

import msgspec


class EngineOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """All that `jan_host.plugins.load_engine` needs to bring up one plugin in another process.

    msgspec writes and reads it as it stands, so it may be a field of a message.
    """

    entry_point: str
    """The entry point's name, which is the plugin's name."""
    value: str
    """``module`` or ``module:attribute``."""
    distribution: str
    version: str
    settings: dict[str, Any] = {}
    """``[plugins.NAME]`` of config.toml as it was written."""
    data_folder: str
    """The plugin's own folder: a path as text, since messages carry no paths."""

"""The host's settings: config.toml, environment and command line, decoded and checked."""

from jan_host.config.load import URL_VARIABLE, load_config
from jan_host.config.secrets import resolve_secret
from jan_host.config.sections import (
    Config,
    DownloadsConfig,
    ImagesConfig,
    LibraryConfig,
    LoggingConfig,
    PluginsConfig,
    RuntimeConfig,
    ServerConfig,
)

__all__ = [
    "URL_VARIABLE",
    "Config",
    "DownloadsConfig",
    "ImagesConfig",
    "LibraryConfig",
    "LoggingConfig",
    "PluginsConfig",
    "RuntimeConfig",
    "ServerConfig",
    "load_config",
    "resolve_secret",
]

"""The hooks of a plugin. All are optional, synchronous, cheap and called once.

A plugin is the module (or object) that an entry point of the group ``jan_host`` names. It
implements hooks as functions of these names, marked with `hookimpl`, and may leave out
parameters that it does not need. What a hook returns, the host registers. Names that begin with
``jan_`` are reserved for hooks: a function of such a name that is not marked is taken for a mistake.

A plugin that has settings declares them as a ``msgspec.Struct`` class named ``Settings``;
``[plugins.NAME]`` of config.toml, NAME being the entry point's, is decoded into it.
"""

from collections.abc import Iterable

import pluggy

from jan_host.contract.engine import Engine
from jan_host.contract.extra import Extra
from jan_host.contract.importer import Importer
from jan_host.contract.plugin import Command, PluginContext

PROJECT = "jan_host"
"""The name of the entry point group, and of the pluggy project."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def jan_engines(context: PluginContext) -> Iterable[Engine]:  # type: ignore[empty-body]  # a specification has no body
    """Engines that the plugin adds. Their modules must not import heavy libraries at the top."""


@hookspec
def jan_importers(context: PluginContext) -> Iterable[Importer]:  # type: ignore[empty-body]  # see jan_engines
    """Importers that the plugin adds."""


@hookspec
def jan_extras(context: PluginContext) -> Iterable[Extra]:  # type: ignore[empty-body]  # see jan_engines
    """Extras that the plugin adds: HTTP routes, background services."""


@hookspec
def jan_commands(context: PluginContext) -> Iterable[Command]:  # type: ignore[empty-body]  # see jan_engines
    """Sub-commands that the plugin adds to ``jan-host``."""

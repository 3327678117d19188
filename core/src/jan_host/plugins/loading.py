"""Bring up all plugins, each in its own containment, or one of them in a worker process."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pluggy

from jan_host.contract.engine import Engine
from jan_host.contract.errors import PluginError
from jan_host.contract.plugin import PluginContext
from jan_host.plugins.claims import Claims
from jan_host.plugins.discovery import Candidate, discover
from jan_host.plugins.hookcheck import register
from jan_host.plugins.importing import import_plugin, reinstall, update
from jan_host.plugins.itemcheck import NAME_RULE, is_name
from jan_host.plugins.offers import call_hook, collect_offers
from jan_host.plugins.origin import EngineOrigin
from jan_host.plugins.problems import BrokenPluginError, contained, logger, nearest
from jan_host.plugins.registry import Plugin, Plugins
from jan_host.plugins.settings import decode_settings


def load_plugins(
    *, disabled: Collection[str], settings: Mapping[str, Mapping[str, Any]], data_folder: Path
) -> Plugins:
    """Load every installed plugin. One that fails costs itself alone, and is in the report.

    Args:
        disabled: Names of entry points that are not even imported.
        settings: ``[plugins.NAME]`` by name, as written in config.toml.
        data_folder: Below it each plugin has a folder of its own.
    """
    claims = Claims()
    candidates = discover()
    plugins = [
        _load(
            Plugin(candidate, settings.get(candidate.name, {}), data_folder / candidate.name),
            claims,
            candidate.name in disabled,
        )
        for candidate in candidates
    ]
    installed = {candidate.name for candidate in candidates}
    for name in [*settings, *disabled]:
        if name not in installed:
            logger.warning(
                "config.toml names the plugin %r, which is not installed.%s", name, nearest(name, installed)
            )
    return Plugins(plugins)


def load_engine(origin: EngineOrigin, engine: str) -> Engine:
    """Load one plugin alone and take one engine from it, as a worker process does.

    Args:
        origin: From `Plugins.engine_origin`, in the host's process.
        engine: The engine's name.

    Raises:
        PluginError: The plugin does not load here, or does not offer that engine.
    """
    candidate = Candidate(
        name=origin.entry_point,
        value=origin.value,
        distribution=origin.distribution,
        version=origin.version,
    )
    who = f"The plugin {candidate.name!r} ({candidate.distribution} {candidate.version})"
    try:
        with contained("it can't be loaded", update(candidate)):
            manager, context = _bring_up(candidate, origin.settings, Path(origin.data_folder))
            offered: list[Engine] = call_hook(manager, "jan_engines", context, update(candidate))
            for each in offered:
                if each.name == engine:
                    return each
    except BrokenPluginError as error:
        raise PluginError(f"{who} is broken: {error}") from error
    raise PluginError(
        f"{who} does not offer the engine {engine!r}."
        " If the plugin was changed while jan-host ran, restart jan-host."
    )


def _load(plugin: Plugin, claims: Claims, disabled: bool) -> Plugin:
    candidate = plugin.candidate
    if disabled:
        plugin.status = "disabled"
        return plugin
    try:
        with contained("it can't be loaded", update(candidate)):
            if candidate.damage is not None:
                raise BrokenPluginError(candidate.damage, f"{reinstall(candidate)}, or uninstall it.")
            claims.claim_plugin(candidate)
            manager, context = _bring_up(candidate, plugin.settings, plugin.data_folder)
            offers = collect_offers(manager, context, update(candidate))
            claims.claim_offers(candidate, offers)
            plugin.offers = offers
    except BrokenPluginError as error:
        plugin.fail(error.problem, error.cure)
    return plugin


def _bring_up(
    candidate: Candidate, settings: Mapping[str, Any], data_folder: Path
) -> tuple[pluggy.PluginManager, PluginContext]:
    """Import a plugin, check its hooks and decode its settings; nothing is called yet."""
    if not is_name(candidate.name):
        raise BrokenPluginError(f"its entry point has the name {candidate.name!r}", f"Rename it. {NAME_RULE}")
    plugin = import_plugin(candidate)
    manager = register(plugin, candidate.name)
    decoded = decode_settings(plugin, candidate.name, settings)
    return manager, PluginContext(name=candidate.name, settings=decoded, data_folder=data_folder)

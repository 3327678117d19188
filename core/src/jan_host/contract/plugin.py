"""What a plugin gets from the host when its hooks are called, and commands that it may add."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """Handed to every hook.

    `settings` is ``[plugins.NAME]`` of config.toml, decoded into the ``Settings`` struct that
    the plugin (the module or object of its entry point) declares, and ``None`` when it
    declares none. `data_folder` is the plugin's own; it exists once the plugin makes it.
    """

    name: str
    """The entry point's name."""
    settings: Any
    data_folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A sub-command: ``jan-host NAME ARGUMENTS...``.

    `run` gets the arguments behind the name and returns the exit code. It may raise errors of
    `jan_host.contract.errors`, which the command line shows as one line.
    """

    name: str
    summary: str
    run: Callable[[Sequence[str]], int]


class PluginReport(msgspec.Struct, kw_only=True):
    """One plugin as ``jan-host plugins`` and ``GET /v1/plugins`` show it."""

    name: str
    """The entry point's name."""
    distribution: str
    version: str
    entry_point: str
    status: str
    """``ok``, ``broken`` or ``disabled``."""
    engines: list[str] = []
    importers: list[str] = []
    extras: list[str] = []
    commands: list[str] = []
    problem: str | None = None
    """What is wrong, in one line."""
    cure: str | None = None
    """What to do about it."""


class EngineReport(msgspec.Struct, kw_only=True):
    """One engine as ``GET /v1/engines`` shows it."""

    name: str
    aliases: list[str]
    formats: list[str]
    runs_in: str
    plugin: str
    distribution: str
    version: str
    settings: dict[str, Any]
    """The JSON schema of its load settings."""

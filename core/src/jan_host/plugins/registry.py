"""What is installed: the questions that the rest of the host asks about plugins."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import importlib_metadata
import msgspec
from packaging.requirements import Requirement

from jan_host.contract.engine import Engine
from jan_host.contract.errors import EngineNotInstalledError, InvalidRequestError
from jan_host.contract.extra import Extra
from jan_host.contract.importer import Importer
from jan_host.contract.plugin import Command, EngineReport, PluginReport
from jan_host.plugins.discovery import Candidate
from jan_host.plugins.offers import Offers
from jan_host.plugins.origin import EngineOrigin
from jan_host.plugins.problems import describe, logger, one_line


@dataclass(slots=True)
class Plugin:
    """One entry point and what became of it."""

    candidate: Candidate
    settings: Mapping[str, Any]
    data_folder: Path
    status: Literal["ok", "broken", "disabled"] = "ok"
    offers: Offers = field(default_factory=Offers)
    problem: str | None = None
    cure: str | None = None

    def fail(self, problem: str, cure: str) -> None:
        """Mark it as broken and say so in the log; the first problem stays in the report."""
        problem = one_line(problem)
        logger.warning(
            "Plugin %s (%s %s) is broken: %s. %s",
            self.candidate.name,
            self.candidate.distribution,
            self.candidate.version,
            problem,
            cure,
        )
        if self.status != "broken":
            self.status, self.problem, self.cure = "broken", problem, cure


class Plugins:
    """The installed plugins and what they offer, in the order of their distributions' names."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = list(plugins)

    def engines(self) -> list[Engine]:
        """All engines."""
        return [engine for plugin in self._plugins for engine in plugin.offers.engines]

    def engine(self, name: str) -> Engine:
        """The engine of that name or alias.

        Raises:
            EngineNotInstalledError: There is none; says which there are and what to install.
        """
        return self._engine(name)[1]

    def engine_for_format(self, format: str) -> Engine | None:  # noqa: A002  # the model.json field's name
        """The first engine that runs models of that format (``Model.format``)."""
        return next((engine for engine in self.engines() if format in engine.formats), None)

    def engine_origin(self, name: str) -> EngineOrigin:
        """Where the engine of that name or alias comes from, for `load_engine` in a worker.

        Raises:
            EngineNotInstalledError: As for `engine`.
        """
        plugin, _ = self._engine(name)
        return EngineOrigin(
            entry_point=plugin.candidate.name,
            value=plugin.candidate.value,
            distribution=plugin.candidate.distribution,
            version=plugin.candidate.version,
            settings=dict(plugin.settings),
            data_folder=str(plugin.data_folder),
        )

    def importers(self) -> list[Importer]:
        """All importers."""
        return [importer for plugin in self._plugins for importer in plugin.offers.importers]

    def importer(self, name: str) -> Importer:
        """The importer of that name.

        Raises:
            InvalidRequestError: There is none; says which there are and what to install.
        """
        importers = {importer.name: importer for importer in self.importers()}
        if name in importers:
            return importers[name]
        raise InvalidRequestError(
            f"No installed plugin offers the importer {name!r}. {self._missing('importer', name, importers)}",
            param="import_format",
        )

    def extras(self) -> list[Extra]:
        """All extras."""
        return [extra for plugin in self._plugins for extra in plugin.offers.extras]

    def commands(self) -> list[Command]:
        """All commands."""
        return [command for plugin in self._plugins for command in plugin.offers.commands]

    def broken(self, name: str, problem: str, cure: str) -> None:
        """Report a failure that showed after loading, such as an extra whose `routes` raise.

        It is logged, and the plugin is shown as broken. What it offers stays here, since models may
        run on it: the caller does without the part that failed.

        Args:
            name: The plugin's name, or that of one of its extras.
            problem: What is wrong, in one line without a full stop.
            cure: What to do about it, in whole sentences.
        """
        owners = [each for each in self._plugins if each.candidate.name == name and each.status != "disabled"]
        owners += [each for each in self._plugins if name in (extra.name for extra in each.offers.extras)]
        if owners:
            owners[0].fail(problem, cure)
        else:  # a report must not be lost, and must not fail
            logger.warning("Plugin %s, which is not loaded, is broken: %s. %s", name, problem, cure)

    def reports(self) -> list[PluginReport]:
        """Every plugin, broken and disabled ones included."""
        return [_report(plugin) for plugin in self._plugins]

    def engine_reports(self) -> list[EngineReport]:
        """Every engine, with the JSON schema of its settings."""
        return [
            EngineReport(
                name=engine.name,
                aliases=sorted(engine.aliases),
                formats=sorted(engine.formats),
                runs_in=engine.runs_in,
                plugin=plugin.candidate.name,
                distribution=plugin.candidate.distribution,
                version=plugin.candidate.version,
                settings=_schema(engine),
            )
            for plugin, engine in self._engines()
        ]

    def _engines(self) -> Iterator[tuple[Plugin, Engine]]:
        for plugin in self._plugins:
            for engine in plugin.offers.engines:
                yield plugin, engine

    def _engine(self, name: str) -> tuple[Plugin, Engine]:
        for plugin, engine in self._engines():
            if name == engine.name or name in engine.aliases:
                return plugin, engine
        engines = [engine.name for engine in self.engines()]
        raise EngineNotInstalledError(
            f"No installed plugin offers the engine {name!r}. {self._missing('engine', name, engines)}"
        )

    def _missing(self, kind: str, name: str, installed: Iterable[str]) -> str:
        """What there is in place of `name`, and how to get it."""
        sentences = [f"Installed {kind}s: {', '.join(installed) or 'none'}."]
        unusable = [f"{each.candidate.name} ({each.status})" for each in self._plugins if each.status != "ok"]
        if unusable:
            sentences.append(f"Plugins that can't be used: {', '.join(unusable)}; see `jan-host plugins`.")
        sentences.append(f"Install the one that has it, such as `pip install {likely_distribution(name)}`.")
        return " ".join(sentences)


def likely_distribution(name: str) -> str:
    """The distribution that probably offers an engine or importer of that name.

    The plugins that jan-host's own metadata names as optional come first; any other plugin is
    expected to be called jan-host-NAME.
    """
    prefix = "jan-host-"
    plain = re.sub(r"[^a-z0-9]+", "", name.lower())
    optional = [Requirement(text).name for text in importlib_metadata.requires("jan-host") or ()]
    parts = [each.removeprefix(prefix) for each in optional if each.startswith(prefix)]
    return prefix + next((part for part in parts if part in plain), plain or "NAME")


def _report(plugin: Plugin) -> PluginReport:
    return PluginReport(
        name=plugin.candidate.name,
        distribution=plugin.candidate.distribution,
        version=plugin.candidate.version,
        entry_point=plugin.candidate.value,
        status=plugin.status,
        engines=[engine.name for engine in plugin.offers.engines],
        importers=[importer.name for importer in plugin.offers.importers],
        extras=[extra.name for extra in plugin.offers.extras],
        commands=[command.name for command in plugin.offers.commands],
        problem=plugin.problem,
        cure=plugin.cure,
    )


def _schema(engine: Engine) -> dict[str, Any]:
    try:
        return msgspec.json.schema(engine.Settings, schema_hook=_foreign_schema)
    except Exception as error:  # a plugin's type may have no schema; its engine works all the same
        logger.info("The settings of the engine %s have no JSON schema: %s", engine.name, describe(error))
        return {}


def _foreign_schema(kind: type) -> dict[str, Any]:
    """Any value will do for a type that JSON schema does not know; its name is all that can be told."""
    return {"title": getattr(kind, "__name__", repr(kind))}

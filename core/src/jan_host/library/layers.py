"""The base settings of an engine, below those of each model."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jan_host.contract.engine import Engine
from jan_host.contract.errors import ConfigError, ModelBrokenError
from jan_host.library.engines import Engines
from jan_host.library.fields import Notice, coerce, prune, struct_types
from jan_host.library.ids import path_for
from jan_host.library.read import read_object
from jan_host.library.scan import Stamp

ENGINE_FILE = "engine.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file said when it was read last."""

    file: Path
    stamp: Stamp | None
    settings: dict[str, Any]


class EngineDefaults:
    """The settings in ``<folder>/<engine>/engine.json``, read again when a file has changed.

    Every request asks for them, so that an edit counts at once.
    """

    def __init__(self, folder: Path, engines: Engines) -> None:
        self._folder = folder
        self._engines = engines
        self._known: dict[str, _Known] = {}

    def get(self, name: str) -> dict[str, Any]:
        """The base settings of an engine; none without such a file.

        Raises:
            ConfigError: The file can't be read; says why.
        """
        known = self._known.get(name)
        if known is None or _stamp(known.file) != known.stamp:
            file = path_for(self._folder, name) / ENGINE_FILE
            # The stamp comes first: what is written while the file is read makes another one.
            known = _Known(file, _stamp(file), _read(file, self._engines.get(name)))
            self._known[name] = known
        return dict(known.settings)


def _stamp(file: Path) -> Stamp | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _read(file: Path, engine: Engine | None) -> dict[str, Any]:
    """The settings at the top of the file, or in its ``settings`` or ``engine_parameters``.

    A value that is of the wrong type for the engine is left out, and the log names it.
    """
    if not file.is_file():
        return {}
    try:
        raw = read_object(file)
    except ModelBrokenError as error:
        raise ConfigError(f"{file}: {error.message}") from None
    nested = raw.get("settings", raw.get("engine_parameters"))
    given = prune(nested if isinstance(nested, dict) else raw)
    notices: list[Notice] = []
    settings = coerce(given, struct_types(engine.Settings) if engine else {}, "settings", notices)
    for notice in notices:
        logger.warning("%s: %s", file, notice.text)
    return settings

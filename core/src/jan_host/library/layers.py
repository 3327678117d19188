"""The base settings of an engine, below those of each model."""

import logging
from pathlib import Path
from typing import Any

from jan_host.contract.engine import Engine
from jan_host.contract.errors import ConfigError, ModelBrokenError
from jan_host.library.fields import coerce, prune, struct_types
from jan_host.library.ids import path_for
from jan_host.library.read import read_object

ENGINE_FILE = "engine.json"

logger = logging.getLogger(__name__)


def read_defaults(engines_folder: Path, name: str, engine: Engine | None) -> dict[str, Any]:
    """The settings in ``<engines_folder>/<name>/engine.json``; none without such a file.

    They stand at the top of the file, or in its ``settings`` or ``engine_parameters``. A value
    that is of the wrong type for the engine is left out, and the log names it.

    Raises:
        ConfigError: The file can't be read; says why.
    """
    file = path_for(engines_folder, name) / ENGINE_FILE
    if not file.is_file():
        return {}
    try:
        raw = read_object(file)
    except ModelBrokenError as error:
        raise ConfigError(f"{file}: {error.message}") from None
    nested = raw.get("settings", raw.get("engine_parameters"))
    given = prune(nested if isinstance(nested, dict) else raw)
    warnings: list[str] = []
    settings = coerce(given, struct_types(engine.Settings) if engine else {}, "settings", warnings)
    for warning in warnings:
        logger.warning("%s: %s", file, warning)
    return settings

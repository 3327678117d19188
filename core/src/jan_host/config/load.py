"""Put a `Config` together: defaults < config.toml < environment < command line."""

import difflib
import logging
import math
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from jan_host.config.sections import SECTIONS, Bytes, Config
from jan_host.contract.errors import ConfigError
from jan_host.contract.quantities import bytes_from_words

PREFIX = "JAN_HOST_"
ROOT_VARIABLE = "JAN_HOST_ROOT"
URL_VARIABLE = "JAN_HOST_URL"
"""The server that commands talk to; not a setting of any host."""
ALIASES = {"JAN_HOST_DISABLED_PLUGINS": ("plugins", "disabled")}
"""Variables that do not follow ``JAN_HOST_<SECTION>_<KEY>``."""

logger = logging.getLogger(__name__)

Tables = dict[str, dict[str, Any]]


def load_config(
    root: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Config:
    """Read the configuration of the host whose files lie in `root`.

    Args:
        root: The root folder; ``None``: ``JAN_HOST_ROOT``, else the platform's data folder.
        environ: ``JAN_HOST_<SECTION>_<KEY>`` set a key; lists are separated by commas; an empty
            value counts only for a list.
        overrides: Sections of values from the command line; ``None`` stands for "not given".

    Raises:
        ConfigError: A key is unknown, or a value is of the wrong type or out of bounds; names
            the place, the key and the nearest key.
    """
    folder = _find_root(root, environ)
    file = folder / "config.toml"
    tables, plugin_settings = _read_file(file)
    merged: Tables = {name: {} for name in SECTIONS}
    _merge(merged, tables, str(file))
    for variable, section, key, text in _variables(environ, set(_named_secrets([tables, plugin_settings]))):
        merged[section][key] = _parse(section, key, text, variable)
    given = {
        section: {key: value for key, value in table.items() if value is not None}
        for section, table in (overrides or {}).items()
    }
    _merge(merged, given, "The command line")
    sections: dict[str, Any] = {name: cls(**merged[name]) for name, cls in SECTIONS.items()}
    return Config(root=folder, plugin_settings=plugin_settings, **sections)


def _find_root(root: Path | None, environ: Mapping[str, str]) -> Path:
    named = environ.get(ROOT_VARIABLE)
    if root is None:
        root = Path(named) if named else platformdirs.user_data_path("jan-host", appauthor=False)
    return root.expanduser().absolute()


def _read_file(file: Path) -> tuple[Tables, Tables]:
    """The sections of config.toml, and apart from them the plugins' own tables."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}, {}
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from None
    for name, table in data.items():
        if name not in SECTIONS:
            raise ConfigError(_unknown(str(file), name, SECTIONS))
        if not isinstance(table, dict):
            raise ConfigError(f"{file}: {name} is a section; write its keys below a line [{name}].")
    plugins = data.get("plugins", {})
    settings = {name: plugins.pop(name) for name in list(plugins) if isinstance(plugins[name], dict)}
    return data, settings


def _merge(merged: Tables, tables: Mapping[str, Mapping[str, Any]], where: str) -> None:
    for section, table in tables.items():
        if section not in SECTIONS:
            raise ConfigError(_unknown(where, section, SECTIONS))
        for key, value in table.items():
            merged[section][key] = _check(section, key, value, where)


def _check(section: str, key: str, value: Any, where: str, *, strict: bool = True) -> Any:
    fields = _field_types(section)
    if key not in fields:
        raise ConfigError(_unknown(where, f"{section}.{key}", [f"{section}.{name}" for name in fields]))
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where}: {section}.{key} is {value}. Give a finite number.")
    if isinstance(value, str) and fields[key] == Bytes:
        value = _bytes(value, f"{where}: {section}.{key}")
    try:
        return msgspec.convert(value, fields[key], strict=strict)
    except msgspec.ValidationError as error:
        # The value itself is not shown: a key may stand in it.
        raise ConfigError(f"{where}: {section}.{key} has a value that can't be used: {error}.") from None


def _bytes(text: str, where: str) -> int:
    count = bytes_from_words(text)
    if count is None:
        raise ConfigError(f"{where} is no amount of memory. Write bytes, or an amount such as '8GB'.")
    return count


def _field_types(section: str) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(SECTIONS[section])}


def _parse(section: str, key: str, text: str, where: str) -> Any:
    if _field_types(section)[key] == list[str]:
        return [item.strip() for item in text.split(",") if item.strip()]
    return _check(section, key, text, where, strict=False)


def _variables(environ: Mapping[str, str], secrets: Collection[str]) -> Iterator[tuple[str, str, str, str]]:
    """Variable, section, key and text of each variable that sets something; warns of strange ones."""
    known = {
        f"{PREFIX}{section.upper()}_{key.upper()}": (section, key)
        for section in SECTIONS
        for key in _field_types(section)
    } | ALIASES
    for name, text in sorted(environ.items()):
        if name in known:
            section, key = known[name]
            if text or _field_types(section)[key] == list[str]:
                yield name, section, key, text
        elif _is_strange(name, secrets):
            logger.warning("%s", _unknown("The environment", name, [*known, ROOT_VARIABLE]))


def _is_strange(name: str, secrets: Collection[str]) -> bool:
    if name in (ROOT_VARIABLE, URL_VARIABLE) or name in secrets:
        return False
    return name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_")


def _named_secrets(value: Any) -> Iterator[str]:
    """The names of all variables that settings name as ``env:NAME``."""
    if isinstance(value, str) and value.startswith("env:"):
        yield value.removeprefix("env:")
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _named_secrets(item)


def _unknown(where: str, key: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    hint = f" The nearest is {nearest[0]}." if nearest else ""
    return f"{where}: there is no setting {key}.{hint}"

"""A plugin's own settings: ``[plugins.NAME]`` decoded into the Struct that it declares."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from jan_host.plugins.problems import BrokenPluginError, nearest


def decode_settings(plugin: object, name: str, table: Mapping[str, Any]) -> Any:
    """An instance of the plugin's ``Settings``, or ``None`` when it declares none.

    Raises:
        BrokenPluginError: ``Settings`` is no Struct, or the table does not fit it.
    """
    declared = getattr(plugin, "Settings", None)
    if declared is None:
        if table:
            raise BrokenPluginError(
                f"[plugins.{name}] in config.toml sets {', '.join(table)}, and it has no settings",
                "Remove the table.",
            )
        return None
    if not is_struct(declared):
        raise BrokenPluginError(
            f"its Settings is {declared!r}", "Make it a subclass of msgspec.Struct, or give it another name."
        )
    for key, known in _unknown_keys(declared, table):
        raise BrokenPluginError(
            f"[plugins.{name}] in config.toml sets {key!r}, which it does not know",
            f"Its settings are {', '.join(known) or 'none'}.{nearest(key.rpartition('.')[2], known)}",
        )
    try:
        return msgspec.convert(dict(table), declared)
    except msgspec.ValidationError as error:
        # msgspec's words name the field and the types, and no value: a key may stand in it.
        raise BrokenPluginError(
            f"its settings can't be used: {str(error).replace('`$.', '`')}",
            f"Correct [plugins.{name}] in config.toml.",
        ) from error


def is_struct(value: object) -> bool:
    """Whether it is a Struct class."""
    return isinstance(value, type) and issubclass(value, msgspec.Struct)


def _unknown_keys(struct: Any, table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Keys that no field reads, in nested tables too, each with the keys that stand there."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in table.items():
        if key not in fields:
            yield prefix + key, list(fields)
        elif is_struct(fields[key]) and isinstance(value, Mapping):
            yield from _unknown_keys(fields[key], value, f"{prefix}{key}.")

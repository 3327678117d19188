"""What no type names is kept where it stood, so that a remote engine can pass it on.

A known Struct keeps its unknown fields in `extra`. Where a field may have one of several forms, told
apart by ``type``, any other form is an `Unknown`. Engines on this machine may ignore the first, and are
never asked with the second.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

KEPT = "$extra"
"""The wire name of the field that keeps unknown ones. It is the host's own: a client can't set it."""
OTHER = "$other"
"""The ``type`` of an `Unknown` between host and worker."""

_KEPT_IN_JSON = f'"{KEPT}":'.encode()
"""No text holds this: a quotation mark in a text is escaped."""
_encode = msgspec.json.Encoder().encode

Extra = dict[str, Any] | UnsetType
"""Unknown fields by their names; unset (and false) where there are none."""


class Open(msgspec.Struct, kw_only=True):
    """A Struct whose unknown fields are kept."""

    extra: Extra = msgspec.field(name=KEPT, default=UNSET)


class Unknown(Open, kw_only=True, tag_field="type", tag=OTHER):
    """A content part, tool, tool call, tool choice or format of a type that jan-host does not know.

    `extra` is all of it, its ``type`` included.
    """

    @property
    def kind(self) -> str:
        """Its ``type``."""
        return str(self.extra["type"]) if self.extra else ""


def to_json(value: msgspec.Struct) -> bytes:
    """A Struct as JSON, its unknown fields beside the others."""
    encoded = _encode(value)
    return _encode(as_plain(value)) if _KEPT_IN_JSON in encoded else encoded


def as_plain(value: Any, *, unknown: bool = True) -> Any:
    """A Struct as dicts and lists, as JSON has it.

    Args:
        value: A Struct, or anything else that `msgspec.to_builtins` takes.
        unknown: Whether the fields that no type names stand beside the others, or are left out.
    """
    return _merged(msgspec.to_builtins(value), unknown)


def _merged(value: Any, unknown: bool) -> Any:
    """The value with kept fields where they belong; they never take the place of others."""
    if isinstance(value, list):
        return [_merged(item, unknown) for item in value]
    if not isinstance(value, dict):
        return value
    extra = value.pop(KEPT, None) or {}
    if value.get("type") == OTHER:
        return extra
    found = {name: _merged(item, unknown) for name, item in value.items()}
    if unknown:
        found |= {name: item for name, item in extra.items() if name not in found}
    return found

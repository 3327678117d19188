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
    return _merged(msgspec.to_builtins(value), value, unknown)


def _merged(plain: Any, value: Any, unknown: bool) -> Any:
    """What `value` became as builtins, with kept fields where they belong; they replace no others.

    Both are walked together: a dict that a user wrote may hold any names, the host's own included.
    """
    if isinstance(value, Unknown):
        return value.extra or {}
    if isinstance(value, msgspec.Struct):
        kept = plain.pop(KEPT, None) or {}
        for field, name in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            if name in plain:
                plain[name] = _merged(plain[name], getattr(value, field), unknown)
        return plain | {name: kept[name] for name in kept if name not in plain} if unknown else plain
    if isinstance(value, list | tuple):
        return [_merged(one, item, unknown) for one, item in zip(plain, value, strict=True)]
    if isinstance(value, dict):
        items = zip(plain.items(), value.values(), strict=True)
        return {name: _merged(one, item, unknown) for (name, one), item in items}
    return plain

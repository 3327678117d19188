"""Settings of models: their names in the engine's spelling, and what of them users may see."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from jan_host.contract.engine import Engine
from jan_host.contract.wording import described
from jan_host.library.fields import setting_name, struct_types

MASK = "***"
"""What stands in place of a secret."""

_REFERENCE = re.compile(r"(env|file):")
"""How a secret begins that is named and does not stand there itself."""

_TELLING_NAME = re.compile(r"(api|access|secret)[_-]?key|secret|password|authorization|(^|[_-])token$", re.I)
"""Names of settings that hold secrets, for those that no engine declares."""

_IN_URL = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://)[^/?#\s]*(?=@)"
    r"|(?P<name>[?&][^=&#\s]*(?:key|token|secret|password|sig)[^=&#\s]*=)[^&#\s]+",
    re.I,
)
"""The user and password in an address, and what its query tells under a telling name."""


def merged(engine: Engine, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """The layers in one, weakest first, under the names by which the engine knows its settings."""
    types, declared = struct_types(engine.Settings), _declared(engine.Settings)
    found: dict[str, Any] = {}
    for layer in layers:
        # Of a setting that one layer gives twice, the value under its own name counts.
        for key in sorted(layer, key=lambda key: key in types):
            found[setting_name(key, types)] = layer[key]
    return {
        # Only a Struct inside has names to be found.
        key: _named(value, declared[key]) if isinstance(value, list | dict) and key in declared else value
        for key, value in found.items()
    }


def _named(value: Any, wanted: inspect.Type) -> Any:
    """The value with the names that its Structs know."""
    if isinstance(wanted, inspect.Metadata):
        return _named(value, wanted.type)
    if isinstance(wanted, inspect.UnionType):
        for each in wanted.types:
            value = _named(value, each)
    elif isinstance(value, list) and isinstance(wanted, inspect.ListType):
        return [_named(item, wanted.item_type) for item in value]
    elif isinstance(value, dict) and isinstance(wanted, inspect.DictType):
        return {key: _named(item, wanted.value_type) for key, item in value.items()}
    elif isinstance(value, dict) and isinstance(wanted, inspect.StructType):
        fields = {field.encode_name: field.type for field in wanted.fields}
        names = {key: setting_name(key, fields) for key in value}
        return {
            names[key]: _named(item, fields[names[key]]) if names[key] in fields else item
            for key, item in value.items()
        }
    return value


def masked(settings: Mapping[str, Any], engine: Engine | None) -> dict[str, Any]:
    """A copy without secrets.

    Secret is what an engine declares with ``Meta(extra={"secret": True})``, at any depth, and what no
    engine declares and has a telling name. A reference, such as ``env:NAME``, is no secret.
    """
    declared = _declared(engine.Settings) if engine else {}
    shown = {}
    for key, value in settings.items():
        name = setting_name(key, declared)
        if name in declared:
            shown[key] = _shown(value, declared[name])
        else:
            shown[key] = _mask(value) if _TELLING_NAME.search(key) else _addresses_masked(value)
    return shown


def _shown(value: Any, wanted: inspect.Type) -> Any:
    if isinstance(wanted, inspect.Metadata):
        return _mask(value) if (wanted.extra or {}).get("secret") else _shown(value, wanted.type)
    if isinstance(wanted, inspect.UnionType):
        for each in wanted.types:
            value = _shown(value, each)
        return value
    if isinstance(value, list) and isinstance(wanted, inspect.ListType):
        return [_shown(item, wanted.item_type) for item in value]
    if isinstance(value, dict) and isinstance(wanted, inspect.DictType):
        return {key: _shown(item, wanted.value_type) for key, item in value.items()}
    if isinstance(value, dict) and isinstance(wanted, inspect.StructType):
        fields = {field.encode_name: field.type for field in wanted.fields}
        # What the Struct does not declare may be a field in another spelling.
        return {
            key: _shown(item, fields[name]) if (name := setting_name(key, fields)) in fields else _mask(item)
            for key, item in value.items()
        }
    return _addresses_masked(value)


def _addresses_masked(value: Any) -> Any:
    """The value, whose addresses are shown without what opens them."""
    if isinstance(value, str):
        return _IN_URL.sub(lambda found: (found["before"] or found["name"]) + MASK, value)
    if isinstance(value, list):
        return [_addresses_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: _addresses_masked(item) for key, item in value.items()}
    return value


def _mask(value: Any) -> Any:
    if value is None or value == "" or (isinstance(value, str) and _REFERENCE.match(value)):
        return value
    return MASK


def _declared(settings: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    """The types of the settings; none where msgspec can't describe them, and then names alone tell."""
    kind = described(settings)
    return (
        {field.encode_name: field.type for field in kind.fields}
        if isinstance(kind, inspect.StructType)
        else {}
    )

"""Where each setting and each parameter of a model comes from."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from jan_host.contract.engine import Engine
from jan_host.contract.errors import EngineNotInstalledError, ModelBrokenError
from jan_host.host.launches import engine_of
from jan_host.host.settings import masked, merged
from jan_host.library import Entry, Library
from jan_host.library.fields import struct_types
from jan_host.library.read import read_object
from jan_host.library.spelling import own_path
from jan_host.plugins import Plugins

ENGINE_DEFAULT = "the engine's default"
ENGINE_FILE = "engine.json"
MODEL_FILES = "the model's files"
"""What the engine read in the headers of the weights."""


class Layer(msgspec.Struct, kw_only=True):
    """A value, and what gave it."""

    source: str
    """`ENGINE_DEFAULT`, `ENGINE_FILE`, `MODEL_FILES`, or the name of a model.json and the path in it."""
    value: Any


class LayeredValue(msgspec.Struct, kw_only=True):
    """A setting or parameter as it is in force, and what it covers."""

    field: str
    """Such as ``settings.ctx_len``."""
    value: Any
    source: str
    covers: list[Layer] = []
    """The weaker layers that have a value too, the strongest first. Secrets are masked, as in `value`."""


def layers_of(entry: Entry, plugins: Plugins, library: Library) -> list[LayeredValue]:
    """All settings and parameters of a model, each with its layers.

    Raises:
        ConfigError: The engine's ``engine.json`` can't be read.
    """
    try:
        engine = engine_of(entry.model, plugins)
    except EngineNotInstalledError:
        engine = None
    raw = _document(entry)
    stacked: dict[str, list[Layer]] = {}
    for table, source, values in _layers(entry, engine, library):
        for name, value in masked(values, engine).items():
            field = f"{table}.{name}"
            found = source or _source_in(raw, entry, field, engine)
            stacked.setdefault(field, []).insert(0, Layer(source=found, value=value))
    return [
        LayeredValue(field=field, value=top.value, source=top.source, covers=below)
        for field, (top, *below) in stacked.items()
    ]


def _layers(
    entry: Entry, engine: Engine | None, library: Library
) -> Iterator[tuple[str, str | None, Mapping[str, Any]]]:
    """Each layer, the weakest first: its table, its source, its values; ``None`` is the model's own."""
    if engine is None:
        yield "settings", None, entry.model.settings
    else:
        yield "settings", ENGINE_DEFAULT, _defaults(engine)
        yield "settings", ENGINE_FILE, merged(engine, library.engine_defaults(engine.name))
        yield "settings", None, merged(engine, entry.model.settings)
    yield "parameters", None, entry.model.parameters


def _defaults(engine: Engine) -> dict[str, Any]:
    settings = engine.Settings()
    fields = msgspec.structs.fields(engine.Settings)
    return {field.encode_name: msgspec.to_builtins(getattr(settings, field.name)) for field in fields}


def _document(entry: Entry) -> dict[str, Any]:
    try:
        return read_object(entry.file) if entry.file else {}
    except ModelBrokenError:
        return {}


def _source_in(raw: dict[str, Any], entry: Entry, field: str, engine: Engine | None) -> str:
    """The place of a model's value: in its model.json, else in the headers of its files."""
    path = own_path(raw, field, struct_types(engine.Settings) if engine else {})
    return f"{entry.file.name}: {path}" if entry.file and path else MODEL_FILES

"""The fields of a model.json in all generations, and how a single value is read."""

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from jan_host.contract.model import Model
from jan_host.contract.options import GenerationOptions
from jan_host.contract.wording import described, refused

LOOSE_SETTINGS = frozenset({"prompt_template", "system_prompt", "vision_model", "mmproj", "embedding"})
"""Settings that also stand at the top of a model.json."""

FIELDS = (
    frozenset(Model.__struct_fields__)
    | {"source", "source_url", "download_url", "engine_parameters", "model_parameters"}
    | LOOSE_SETTINGS
)
"""Every key that the top of a model.json may have."""

RENAMED = {"token_limit": "max_tokens"}
"""Names of the import-format generation, and the canonical ones."""

Types = Mapping[str, Any]


class Notice(NamedTuple):
    """Something that a model.json says, and that is not used or may have no effect."""

    field: str
    """In the canonical form, such as ``settings.ctx_len``, wherever the file has it."""
    text: str
    """What is wrong, and what was probably meant."""
    is_used: bool = False
    """Whether the value is passed on all the same."""


def is_unset(value: Any) -> bool:
    """Whether a value says that there is none; the import-format generation writes ``""`` and ``".."``."""
    return value is None or value in ("", "..")


def prune(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without what is unset, and with canonical names."""
    given = {key: value for key, value in table.items() if not is_unset(value)}
    renamed = {RENAMED[key]: value for key, value in given.items() if key in RENAMED}
    return renamed | {key: value for key, value in given.items() if key not in RENAMED}


def as_text(value: Any) -> str | None:
    """Text, a number as text (1.0 as ``"1"``), or ``None`` for what is unset or neither."""
    if is_unset(value) or not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def setting_name(key: str, types: Types) -> str:
    """The name of a setting that is spelt in another way, such as ``API-KEY``; else `key` itself.

    Other names are those that a setting declares with ``Meta(extra={"aliases": (...)})``.

    Args:
        key: As it stands in a file or a request.
        types: The types of the settings by name: annotations, or what msgspec's ``inspect`` says of them.
    """
    if key in types:
        return key
    plain = key.casefold().replace("-", "_")
    if plain in types:
        return plain
    return next((name for name, kind in types.items() if plain in _aliases(kind)), key)


def _aliases(kind: Any) -> tuple[str, ...]:
    notes = [kind, *getattr(kind, "__metadata__", ())]
    return next((tuple(extra["aliases"]) for note in notes if "aliases" in (extra := _extra(note))), ())


def _extra(note: Any) -> Mapping[str, Any]:
    extra = getattr(note, "extra", None)
    return extra if isinstance(extra, Mapping) else {}


@functools.cache
def struct_types(cls: type[msgspec.Struct]) -> Types:
    """The type of each field of a Struct, by the name that the field has in JSON."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(cls)}


@functools.cache
def option_types() -> Types:
    """The types of the request parameters that a model.json may give defaults for."""
    types = struct_types(GenerationOptions)
    return {name: types[name] for name in types if name not in ("model", "user", "$extra")}


def coerce(table: Mapping[str, Any], types: Types, where: str, notices: list[Notice]) -> dict[str, Any]:
    """The table with numbers and booleans in place of texts that spell them.

    A value that can't be what its field asks for is left out, with a notice that names it.
    Keys that have no type stay as they are.
    """
    found = {}
    for key, value in table.items():
        wanted = types.get(setting_name(key, types))
        try:
            found[key] = value if wanted is None else _coerce_value(value, wanted)
        except (msgspec.ValidationError, TypeError) as error:
            problem = refused(value, described(wanted)) or str(error)
            notices.append(Notice(f"{where}.{key}", f"{where}.{key} is not used: {problem}."))
    return found


def _coerce_value(value: Any, wanted: Any) -> Any:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        value = msgspec.to_builtins(msgspec.convert(value, wanted, strict=False))
        if isinstance(value, float) and not math.isfinite(value):
            raise msgspec.ValidationError("Expected a finite number") from None
    return value

"""From a model.json of any generation to the canonical `Model`.

| canonical       | import formats (G1)            | engine parameters (G2) | settings (G3) |
|-----------------|--------------------------------|------------------------|---------------|
| `settings`      | ``parameters.init``            | ``engine_parameters``  | ``settings``  |
| `parameters`    | ``parameters.runtime``         | ``model_parameters``   | ``parameters``|
| `engine`        | ``metadata.engine``            | ``engine``             | ``engine``    |
| `sources`       | ``origin`` + ``download_url``  | ``sources``            | ``sources``   |

The three share no name for two things, so one reader reads them all, mixtures included; the
later generation wins. A value that can't be used is left out with a notice that names its
field; only what leaves no model to speak of is an error.
"""

import difflib
from dataclasses import dataclass
from typing import Any

import msgspec

from jan_host.contract.errors import InvalidRequestError, ModelBrokenError
from jan_host.contract.model import HOST_SETTINGS, Model
from jan_host.library.engines import Engines
from jan_host.library.fields import (
    FIELDS,
    LOOSE_SETTINGS,
    Notice,
    as_text,
    coerce,
    is_unset,
    option_types,
    prune,
    setting_name,
    struct_types,
)
from jan_host.library.ids import check_id
from jan_host.library.sources import read_sources

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a model.json need not say, because its place tells it."""

    id: str
    name: str
    created: int
    """Unix time in seconds."""


def read_model(raw: Raw, defaults: Defaults, engines: Engines) -> tuple[Model, list[Notice]]:
    """The canonical model, and notices of what could not be used.

    Raises:
        ModelBrokenError: The id or a source is no such thing.
    """
    notices = [_unknown_field(key) for key in raw if key not in FIELDS]
    metadata = dict(_table(raw, "metadata", notices))
    import_format = _text(raw, "import_format", notices)
    named = _text(raw, "engine", notices) or as_text(metadata.get("engine"))
    metadata.pop("engine", None)
    sources = read_sources(raw)
    model = Model(
        id=read_id(raw, defaults.id),
        created=_created(raw, defaults.created, notices),
        owned_by=_text(raw, "owned_by", notices) or "you",
        name=_text(raw, "name", notices) or defaults.name,
        version=_text(raw, "version", notices) or "1",
        description=_text(raw, "description", notices),
        format=engines.canonical_format(_text(raw, "format", notices) or ""),
        engine=engines.canonical_name(named, import_format, as_text(raw.get("origin"))),
        sources=sources,
        metadata=metadata,
        assets=_assets(raw, notices),
        origin=_text(raw, "origin", notices),
        import_format=import_format,
    )
    complete_engine(model, engines)
    _read_tables(model, raw, engines, notices)
    return model, notices


def read_id(raw: Raw, default: str) -> str:
    """The id that a model.json gives, else `default`.

    Raises:
        ModelBrokenError: What stands there is no id.
    """
    given = raw.get("id")
    if is_unset(given):
        return default
    text = as_text(given)
    if text is None:
        raise ModelBrokenError(f"The field id is not a text: {given!r}.", param="id")
    try:
        return check_id(text)
    except InvalidRequestError as error:
        raise ModelBrokenError(error.message, param="id") from None


def complete_engine(model: Model, engines: Engines) -> None:
    """Fill in format and engine, as far as the one tells the other or the files' names tell both."""
    engine = engines.get(model.engine)
    known = engine.formats if engine else engines.formats
    if not model.format:
        endings = [source.filename.rpartition(".")[2].casefold() for source in model.sources]
        model.format = next((ending for ending in endings if ending in known), "")
    if not model.format and engine and len(engine.formats) == 1:
        (model.format,) = engine.formats
    if not model.engine and model.format:
        runner = engines.for_format(model.format)
        model.engine = runner.name if runner else ""


def find_notices(model: Model, engines: Engines) -> list[Notice]:
    """What would be told of a model.json in canonical form."""
    raw = msgspec.to_builtins(model)
    again, notices = read_model(raw, Defaults(id=model.id, name=model.name, created=model.created), engines)
    check_settings(again, engines, notices)
    return notices


def check_settings(model: Model, engines: Engines, notices: list[Notice]) -> None:
    """Give the settings the types that the model's engine declares, and tell which it does not know."""
    engine = engines.get(model.engine)
    types = struct_types(engine.Settings) if engine else {}
    given = model.settings
    model.settings = coerce(given, types, "settings", notices)
    if engine:
        notices.extend(
            _unknown_setting(key, engine.name, list(types))
            for key in given
            if setting_name(key, types) not in types and key not in HOST_SETTINGS
        )


def _read_tables(model: Model, raw: Raw, engines: Engines, notices: list[Notice]) -> None:
    """Fill in `settings` and `parameters`; each request parameter among the settings changes place."""
    runtime = dict(_table(raw, "parameters", notices))
    nested = {key: runtime.pop(key) for key in ("init", "runtime") if isinstance(runtime.get(key), dict)}
    settings = (
        prune({key: raw[key] for key in LOOSE_SETTINGS if key in raw})
        | prune(nested.get("init", {}))
        | prune(_table(raw, "engine_parameters", notices))
        | prune(_table(raw, "settings", notices))
    )
    parameters = (
        prune(nested.get("runtime", {})) | prune(_table(raw, "model_parameters", notices)) | prune(runtime)
    )
    _read_role_prompts(settings)
    engine = engines.get(model.engine)
    types = struct_types(engine.Settings) if engine else {}
    moved = {key: settings.pop(key) for key in option_types() if key in settings and key not in types}
    model.parameters = coerce(moved | parameters, option_types(), "parameters", notices)
    model.settings = settings


def _read_role_prompts(settings: Raw) -> None:
    """G1's role prefixes as one template: ``pre_prompt + (role prefix + content)* + ai_prompt``.

    The template has placeholders: ``{system_message}``, then ``{prompt}`` for what the user
    says; `pre_prompt` is the system message of requests that have none.
    """
    before, user, assistant = (settings.pop(f"{role}_prompt", "") for role in ("pre", "user", "ai"))
    if before:
        settings.setdefault("system_prompt", str(before))
    if user or assistant:
        settings.setdefault("prompt_template", f"{{system_message}}{user}{{prompt}}{assistant}")


def _table(raw: Raw, key: str, notices: list[Notice]) -> Raw:
    value = raw.get(key)
    if is_unset(value):
        return {}
    if not isinstance(value, dict):
        notices.append(Notice(key, f"{key} is not used: it should be an object."))
        return {}
    return value


def _text(raw: Raw, key: str, notices: list[Notice]) -> str | None:
    value = raw.get(key)
    text = as_text(value)
    if text is None and not is_unset(value):
        notices.append(Notice(key, f"{key} is not used: it should be a text."))
    return text


def _created(raw: Raw, default: int, notices: list[Notice]) -> int:
    value = raw.get("created")
    if is_unset(value):
        return default
    try:
        seconds = msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError:
        seconds = -1.0
    if seconds > 1e11:  # milliseconds, as some generators write
        seconds /= 1000
    if not 0 <= seconds <= 1e11:
        notices.append(Notice("created", "created is not used: it should be a Unix time in seconds."))
        return default
    return int(seconds)


def _assets(raw: Raw, notices: list[Notice]) -> list[str]:
    value = raw.get("assets")
    if is_unset(value):
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        notices.append(Notice("assets", "assets is not used: it should be a list of texts."))
        return []
    return value


def _unknown_field(key: str) -> Notice:
    return Notice(key, f"{key} is not used: a model.json has no such field.{_hint(key, list(FIELDS))}")


def _unknown_setting(key: str, engine: str, known: list[str]) -> Notice:
    text = f"settings.{key} may have no effect: {engine} has no such setting.{_hint(key, known)}"
    return Notice(f"settings.{key}", text, is_used=True)


def _hint(key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(key, sorted(known), n=1)
    return f" Did you mean {nearest[0]}?" if nearest else ""

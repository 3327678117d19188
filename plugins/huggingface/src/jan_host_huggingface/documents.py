"""What repositories say of their model in model.json, model.yml and metadata.yml.

Nothing of it is trusted: sizes are bounded, and a value that can't be what its name says is left out with
a warning.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from jan_host import GenerationOptions, ImportFailedError

from jan_host_huggingface.describe import text_of

MOST_BYTES = 64 << 10
MOST_STOPS = 32
MOST_TEMPLATE = 32 << 10

RENAMED = {"token_limit": "max_tokens", "typ_p": "typical_p"}
"""Names of Jan's and cortex's files, and ours."""
SETTINGS: dict[str, Any] = {
    "ctx_len": int,
    "ngl": int,
    "n_parallel": int,
    "cpu_threads": int,
    "n_batch": int,
    "prompt_template": str,
    "system_prompt": str,
    "flash_attn": bool,
    "cache_type_k": str,
    "cache_type_v": str,
    "embedding": bool,
    "use_mmap": bool,
}
"""Settings for loading that such a file may give, with their types."""
_NO_PARAMETERS = frozenset({"model", "user", "$extra", "n", "stream_options", "grammar", "regex"})


@dataclass(slots=True, kw_only=True)
class Configuration:
    """What was read, under our names."""

    id: str | None = None
    name: str | None = None
    version: str | None = None
    description: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    filenames: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_model_json(body: bytes, repo: str) -> Configuration:
    """A model.json of any generation, as far as it tells how to run the model.

    Raises:
        ImportFailedError: It is no JSON object.
    """
    where = f"The model.json of {repo}"
    _check_size(body, where)
    try:
        raw = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ImportFailedError(
            f"{where} can't be read: it is no JSON object. Import the repository by default:{repo} instead."
        ) from None
    runtime = _table(raw, "parameters")
    found = _heads(raw)
    found.id = text_of(raw.get("id"))
    settings = _table(runtime, "init") | _table(raw, "engine_parameters") | _table(raw, "settings")
    parameters = _table(runtime, "runtime") | _table(raw, "model_parameters") | runtime
    _read_tables(found, settings | parameters, "model.json")
    sources = raw.get("sources") or raw.get("source_url") or []
    for item in sources if isinstance(sources, list) else [sources]:
        told = item if isinstance(item, dict) else {"url": item}
        found.filenames += [text for text in [text_of(told.get("filename"))] if text]
        found.urls += [text for text in [text_of(told.get("url"))] if text]
    metadata = _table(raw, "metadata")
    found.metadata = {key: text for key in ("author", "cover") if (text := text_of(metadata.get(key)))}
    return found


def read_model_yml(body: bytes, repo: str) -> Configuration:
    """A cortex model.yml: inference and load parameters side by side.

    Raises:
        ImportFailedError: It is no YAML mapping.
    """
    raw = _yaml(body, f"The model.yml of {repo}")
    found = _heads(raw)
    _read_tables(found, raw, "model.yml")
    return found


def default_branch(body: bytes, repo: str) -> str | None:
    """The variant that a metadata.yml recommends.

    Raises:
        ImportFailedError: It is no YAML mapping.
    """
    return text_of(_yaml(body, f"The metadata.yml of {repo}").get("default"))


def _yaml(body: bytes, where: str) -> dict[str, Any]:
    import yaml

    _check_size(body, where)
    try:
        raw = yaml.safe_load(body)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise ImportFailedError(f"{where} can't be read: it is no YAML. Tell its author.") from None
    if not isinstance(raw, dict):
        raise ImportFailedError(f"{where} can't be read: it is no mapping. Tell its author.")
    return raw


def _check_size(body: bytes, where: str) -> None:
    if len(body) > MOST_BYTES:
        raise ImportFailedError(f"{where} is too large to be one ({len(body) >> 10} kB). Tell its author.")


def _heads(raw: dict[str, Any]) -> Configuration:
    version = raw.get("version")
    is_number = isinstance(version, int | float) and not isinstance(version, bool)
    return Configuration(
        name=text_of(raw.get("name")),
        version=f"{version:g}" if is_number else text_of(version),
        description=text_of(raw.get("description")),
    )


def _table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return dict(value) if isinstance(value, dict) else {}


def _read_tables(found: Configuration, raw: dict[str, Any], where: str) -> None:
    """Each value that has a known name, in the type that the name asks for."""
    options = {
        one.encode_name: one.type
        for one in msgspec.structs.fields(GenerationOptions)
        if one.encode_name not in _NO_PARAMETERS
    }
    for given, value in raw.items():
        key = RENAMED.get(given, given) if isinstance(given, str) else ""
        types, target = (SETTINGS, found.settings) if key in SETTINGS else (options, found.parameters)
        if key not in types or value is None or value in ("", "..", []):
            continue
        try:
            target[key] = _converted(value, types[key])
        except (msgspec.ValidationError, TypeError) as error:
            found.warnings.append(f"{key} in {where} is not used: {error}")


def _converted(value: Any, wanted: Any) -> Any:
    converted = msgspec.to_builtins(msgspec.convert(value, wanted, strict=False))
    if isinstance(converted, list) and len(converted) > MOST_STOPS:
        raise msgspec.ValidationError(f"Expected at most {MOST_STOPS} items")
    if isinstance(converted, str) and len(converted) > MOST_TEMPLATE:
        raise msgspec.ValidationError(f"Expected at most {MOST_TEMPLATE} characters")
    return converted

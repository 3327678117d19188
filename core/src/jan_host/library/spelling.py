"""Where a document has what the canonical form has under another name: the way back from it."""

from collections.abc import Iterator
from typing import Any

from jan_host.library.fields import LOOSE_SETTINGS, RENAMED, Types, is_unset, setting_name

_SETTINGS = ("settings", "engine_parameters", "parameters.init", "")
_PARAMETERS = ("parameters", "model_parameters", "parameters.runtime", *_SETTINGS)
_OTHERS = {
    "engine": ("metadata.engine",),
    "sources": ("source", "source_url", "download_url"),
    "settings.system_prompt": ("parameters.init.pre_prompt", "settings.pre_prompt"),
    "settings.prompt_template": ("parameters.init.user_prompt", "parameters.init.ai_prompt"),
}
"""Names of single fields in the other generations."""


def own_path(raw: dict[str, Any], field: str, types: Types) -> str | None:
    """The path by which the document has a field of the canonical form; ``None`` where it has none.

    Args:
        raw: The document.
        field: Such as ``settings.ctx_len`` or ``sources[0].url``.
        types: The settings of the model's engine.
    """
    return next((path for path in _candidates(raw, field, types) if not is_unset(value_at(raw, path))), None)


def value_at(raw: dict[str, Any], path: str) -> Any:
    """What stands at a path of keys; ``None`` where there is nothing. Keys may have dots in them."""
    value: Any = raw
    while path:
        if not isinstance(value, dict):
            return None
        keys = [key for key in value if path == key or path.startswith(f"{key}.")]
        if not keys:
            return None
        key = max(keys, key=len)
        value, path = value[key], path[len(key) + 1 :]
    return value


def _candidates(raw: dict[str, Any], field: str, types: Types) -> Iterator[str]:
    yield field
    yield from _OTHERS.get(field, ())
    table, _, name = field.partition(".")
    if table not in ("settings", "parameters") or not name:
        return
    for path in _SETTINGS if table == "settings" else _PARAMETERS:
        found = value_at(raw, path) if path else {key: raw[key] for key in LOOSE_SETTINGS if key in raw}
        for key in found if isinstance(found, dict) else ():
            if name in (key, RENAMED.get(key), setting_name(key, types)):
                yield f"{path}.{key}" if path else key

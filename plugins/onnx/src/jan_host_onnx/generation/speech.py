"""How a model is spoken to and how it ends, by the JSON files of its folder: chat template, ends."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from jan_host import ModelLoadError
from jan_host.kit import ChatTemplate

from jan_host_onnx.documents import read_object
from jan_host_onnx.layouts import Layout
from jan_host_onnx.tokenizer import TextTokenizer

_CALL: Final = "<|call|>"
_ENDS_OF_TURNS: Final = frozenset(
    {
        _CALL,
        "<|im_end|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "<|end|>",
        "<|return|>",
        "<end_of_turn>",
        "<|end_of_turn|>",
        "<|eot|>",
        "<EOT>",
    }
)
"""Control tokens that end an answer whatever the configuration says, which often forgets one."""


def read_template(layout: Layout, tokenizer: TextTokenizer, setting: str | None) -> ChatTemplate:
    """The model's chat template.

    Args:
        layout: The model's files.
        tokenizer: Its tokenizer.
        setting: ``prompt_template`` of the settings, which replaces the model's own.

    Raises:
        ModelLoadError: It can't be read; says why.
    """
    config = {**read_object(layout.special_tokens_map), **read_object(layout.tokenizer_config)}
    texts: dict[str, Any] = {
        "control_tokens": tokenizer.control,
        "bos_token": token_text(config.get("bos_token")),
        "eos_token": token_text(config.get("eos_token")),
    }
    if setting:
        return ChatTemplate.from_setting(setting, **texts)
    source = _file_template(layout.chat_template) or _default(config.get("chat_template"))
    return ChatTemplate(source, **texts) if source else ChatTemplate.fallback(**texts)


def read_ends(layout: Layout, tokenizer: TextTokenizer) -> set[int]:
    """The tokens that end a generation: those that any of the model's files names, and well-known ones."""
    ends: set[int] = set()
    for path in (layout.generation_config, layout.config):
        ends.update(_ids(read_object(path).get("eos_token_id")))
    if layout.genai_config is not None:
        model = read_object(layout.genai_config).get("model")
        ends.update(_ids(model.get("eos_token_id") if isinstance(model, dict) else None))
    config = {**read_object(layout.special_tokens_map), **read_object(layout.tokenizer_config)}
    named = {token_text(config.get("eos_token")), *_ends_of_turns(tokenizer)}
    ends.update(token for text, token in tokenizer.control.items() if text in named)
    return ends


def _ends_of_turns(tokenizer: TextTokenizer) -> frozenset[str]:
    """gpt-oss goes on behind ``<|end|>``, with its next message, until it calls a tool or returns."""
    return _ENDS_OF_TURNS - {"<|end|>"} if _CALL in tokenizer.control else _ENDS_OF_TURNS


def token_text(value: object) -> str:
    """A token as configurations write it: its text, or an object with it."""
    found = value.get("content") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""


def _ids(value: object) -> Iterable[int]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, int) and not isinstance(item, bool)]


def _file_template(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            return text
        return _default(json.loads(text).get("chat_template"))
    except (OSError, ValueError, AttributeError) as error:
        raise ModelLoadError(f"{path.name} can't be read as a chat template: {error}.") from error


def _default(value: object) -> str:
    """The template of that field: a text, or the default one of several with names."""
    if isinstance(value, str):
        return value
    named = {
        str(item.get("name")): str(item.get("template") or "")
        for item in (value if isinstance(value, list) else ())
        if isinstance(item, dict)
    }
    return named.get("default") or next(iter(named.values()), "")

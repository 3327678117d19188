"""What sentence-transformers' files say of a model: pooling, normalisation, prompts, the longest text.

``modules.json`` lists the steps, each with a folder of its own; a Pooling step has its
``config.json`` there (https://sbert.net/docs/sentence_transformer/usage/custom_models.html).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from jan_host import ModelBrokenError

from jan_host_onnx.documents import read_list, read_object, whole_number

Pooling = Literal["mean", "cls", "last", "max", "none"]

_MODES: Final[Mapping[str, Pooling]] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
    "pooling_mode_max_tokens": "max",
}
_NAMES: Final[Mapping[str, Pooling]] = {"mean": "mean", "cls": "cls", "lasttoken": "last", "max": "max"}
_KNOWN_STEPS: Final = frozenset({"Transformer", "Pooling", "Normalize"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """How a model's token vectors become the vector of a text; ``None`` where nothing is said."""

    pooling: Pooling | None = None
    normalize: bool | None = None
    max_length: int | None = None
    """Tokens."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """What is written before a text, by purpose, such as ``query`` and ``document``."""
    default_prompt: str | None = None
    """The purpose that is meant when none is named."""
    lowercase: bool = False
    extra_steps: tuple[str, ...] = ()
    """Steps that this engine does not know, such as a dense layer behind the pooling."""

    @property
    def prefix(self) -> str:
        """What is written before every text."""
        return self.prompts.get(self.default_prompt or "", "")


def read_sentence(root: Path) -> Sentence:
    """What the sentence-transformers files in `root` say.

    Raises:
        ModelBrokenError: One of them can't be read.
    """
    steps = [step for step in read_list(_inside(root, "modules.json")) if isinstance(step, dict)]
    types = [str(step.get("type", "")).rpartition(".")[2] for step in steps]
    pooling_file = next(
        (
            _inside(root, str(step.get("path", "")), "config.json")
            for step, kind in zip(steps, types, strict=True)
            if kind == "Pooling"
        ),
        _inside(root, "1_Pooling", "config.json"),
    )
    bert = read_object(_inside(root, "sentence_bert_config.json"))
    prompts = read_object(_inside(root, "config_sentence_transformers.json"))
    told = prompts.get("prompts")
    return Sentence(
        pooling=_pooling(read_object(pooling_file)),
        normalize="Normalize" in types if steps else None,
        max_length=whole_number(bert.get("max_seq_length")),
        prompts={str(key): str(text) for key, text in told.items()} if isinstance(told, dict) else {},
        default_prompt=_text(prompts.get("default_prompt_name")),
        lowercase=bool(bert.get("do_lower_case")),
        extra_steps=tuple(kind for kind in types if kind not in _KNOWN_STEPS),
    )


def _inside(root: Path, *parts: str) -> Path | None:
    """A file below `root`, or ``None`` where the parts lead elsewhere or to nothing."""
    path = root.joinpath(*parts)
    return path if path.resolve().is_relative_to(root.resolve()) and path.is_file() else None


def _pooling(config: Mapping[str, Any]) -> Pooling | None:
    named = config.get("pooling_mode")
    modes = [mode for key, mode in _MODES.items() if config.get(key)]
    if isinstance(named, str) and named in _NAMES:
        modes = [_NAMES[named]]
    others = [key for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    if len(modes) > 1 or (others and not modes):
        raise ModelBrokenError(
            f"The model's pooling ({', '.join(others)}) is none that this engine knows: mean, cls, lasttoken"
            " or max alone. Choose one by the setting pooling."
        )
    return modes[0] if modes else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

"""Which of several graph files is meant: hubs publish one model in many number formats."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from jan_host import ModelBrokenError

_FORMATS: Final = (
    "",
    "fp32",
    "quantized",
    "int8",
    "q8",
    "uint8",
    "q4",
    "int4",
    "q4f16",
    "bnb4",
    "fp16",
    "bf16",
)
"""The ends of graph files' names, the preferred one first.

The plain file is what its publisher calls the model. Sixteen bits come last, since processors
compute them by way of 32."""
_END = re.compile(
    r"(?:[_-](?P<format>fp32|fp16|bf16|quantized|u?int8|q8|q4|int4|q4f16|bnb4|O[1-4]|qu?int8_\w+|qdq\w*))?",
)
_DECODERS: Final = ("decoder_model_merged", "decoder_model", "decoder_with_past_model")
"""What one decoder is split into by some exports; the merged graph can do what both others can."""


def base_of(path: Path) -> str:
    """What the names of one model's graph files have in common."""
    base = _split(path)[0]
    return _DECODERS[0] if base in _DECODERS else base


def format_of(path: Path) -> str:
    """The number format that a graph file's name tells, ``""`` when it tells none."""
    return _split(path)[1]


def order(graphs: Iterable[Path]) -> list[Path]:
    """The graph files of one model, the preferred one first."""
    return sorted(graphs, key=_rank)


def choose(graphs: Sequence[Path], wanted: str | None) -> Path:
    """The graph file to load.

    Args:
        graphs: The graph files of one model, at least one.
        wanted: A file's name, with or without ``.onnx``, or the format at its end; ``None`` for the best.

    Raises:
        ModelBrokenError: There is no such file, or several.
    """
    ordered = order(graphs)
    if not wanted:
        return ordered[0]
    name = wanted.removesuffix(".onnx").rpartition("/")[2].casefold()
    for matches in (
        [path for path in ordered if path.stem.casefold() == name],
        [path for path in ordered if format_of(path).casefold() == name],
        [path for path in ordered if name in path.stem.casefold()],
    ):
        if matches:
            return matches[0]
    offered = ", ".join(path.name for path in ordered)
    raise ModelBrokenError(
        f"The model has no variant {wanted!r}. It has: {offered}.", param="settings.variant"
    )


def _split(path: Path) -> tuple[str, str]:
    stem = path.stem
    for match in re.finditer(r"[_-]", stem):
        end = _END.fullmatch(stem[match.start() :])
        if end is not None:
            return stem[: match.start()], end["format"] or ""
    return stem, ""


def _rank(path: Path) -> tuple[int, int, str]:
    base, end = _split(path)
    decoder = _DECODERS.index(base) if base in _DECODERS else 0
    return decoder, _FORMATS.index(end) if end in _FORMATS else len(_FORMATS), path.name

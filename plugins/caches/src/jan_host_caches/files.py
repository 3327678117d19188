"""Which files are worth showing to an engine, and how folders are walked."""

import os
from collections.abc import Iterator
from pathlib import Path

MODEL_SUFFIXES = (".gguf", ".onnx")
MAX_DEPTH = 6
MAX_FILES = 5000
"""More are no models of one program; a link may lead to a whole disk."""


def is_model_file(name: str) -> bool:
    """Whether a file of that name is one that a program loads."""
    return name.lower().endswith(MODEL_SUFFIXES) and not name.startswith(".")


def folders_of_models(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """The folders at and below `root` that have model files in them, with all their files.

    What can't be read is passed over; links are not followed to folders.
    """
    seen = 0
    for place, folders, names in os.walk(root):
        folder = Path(place)
        if len(folder.relative_to(root).parts) >= MAX_DEPTH:
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(names)
        if seen > MAX_FILES:
            return
        if any(is_model_file(name) for name in names):
            yield folder, [folder / name for name in sorted(names) if not name.startswith(".")]

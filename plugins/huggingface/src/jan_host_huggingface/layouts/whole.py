"""Repositories that are one model: all of it, its structure kept."""

from collections.abc import Sequence

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.repositories import File

FORMATS = {".safetensors": "safetensors", ".bin": "pytorch", ".pt": "pytorch", ".pth": "pytorch"}
"""The format that a file of weights has, by its ending; earlier ones count first."""
LAID_OUT = {".gguf": "gguf", ".onnx": "onnx"}
"""Formats whose repositories have layouts of their own."""


def find_whole(files: Sequence[File]) -> list[Bundle]:
    """The repository as one bundle; none where no file holds weights."""
    for ending, kind in FORMATS.items():
        weights = [file for file in files if file.ends_with(ending)]
        if weights:
            rest = [file for file in files if not file.ends_with(ending) and not file.name.startswith(".git")]
            return [Bundle(name=kind, format=kind, files=(*weights, *rest))]
    return []


def single_file(file: File) -> Bundle | None:
    """A file that the user asked for, or ``None`` where it holds no weights."""
    formats = {**LAID_OUT, **FORMATS}
    kind = next((kind for ending, kind in formats.items() if file.ends_with(ending)), None)
    return Bundle(name=file.path, format=kind, files=(file,)) if kind else None

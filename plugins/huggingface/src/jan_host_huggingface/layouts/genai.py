"""onnxruntime-genai: a folder with ``genai_config.json``, and all that is in it, is a model."""

import re
from collections.abc import Mapping, Sequence

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.repositories import File

FORMAT = "onnx"
GENAI_FILE = "genai_config.json"
_BITS = {"int4": 4.5, "int8": 8.0, "fp16": 16.0, "bf16": 16.0, "fp32": 32.0}
_LABEL = re.compile("|".join(_BITS), re.IGNORECASE)


def find_genai(files: Sequence[File]) -> list[Bundle]:
    """One bundle for each such folder; a folder below another's is none of its files."""
    own = files_of_folders(files)
    return [_bundle(folder, own[folder]) for folder in sorted(own) if _graphs(own[folder])]


def files_of_folders(files: Sequence[File]) -> Mapping[str, list[File]]:
    """The folders, each with the files that belong to it and to no folder further down."""
    own: dict[str, list[File]] = {file.folder: [] for file in files if file.name == GENAI_FILE}
    for file in files:
        folder = _nearest(file.folder, own)
        if folder is not None:
            own[folder].append(file)
    return own


def is_clutter(file: File) -> bool:
    """What no engine needs beside a model: git's own files, texts for people, and pictures."""
    return file.name.startswith(".git") or file.ends_with(".md", ".png", ".jpg", ".jpeg", ".gif", ".webp")


def _nearest(folder: str, known: Mapping[str, object]) -> str | None:
    while folder not in known:
        if not folder:
            return None
        folder = folder.rpartition("/")[0]
    return folder


def _graphs(own: Sequence[File]) -> list[File]:
    return [file for file in own if file.ends_with(".onnx")]


def _bundle(folder: str, own: Sequence[File]) -> Bundle:
    graphs = _graphs(own)
    first = next((file for file in graphs if file.name == "model.onnx"), graphs[0])
    match = _LABEL.search(folder)
    label = match[0].lower() if match else ""
    return Bundle(
        name=folder or "genai",
        format=FORMAT,
        files=(first, *(file for file in own if file is not first and not is_clutter(file))),
        label=label,
        quality=_BITS.get(label),
    )

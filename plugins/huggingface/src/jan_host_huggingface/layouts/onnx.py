"""ONNX repositories: number formats of a graph, with its weights, tokenizer and configuration.

Two layouts, beside that of `genai`: that of onnx-community (graphs in ``onnx/``, the rest at the top),
and that of sentence-transformers (the same, with ``modules.json`` and numbered folders).
"""

import re
from collections.abc import Sequence

from jan_host import ImportFailedError

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.layouts.genai import FORMAT, files_of_folders, find_genai, is_clutter
from jan_host_huggingface.repositories import File

WEIGHTS = (
    ".gguf",
    ".bin",
    ".onnx",
    ".safetensors",
    ".pt",
    ".pth",
    ".h5",
    ".msgpack",
    ".ot",
    ".tflite",
    ".mlmodel",
)
BITS = {
    "": 32.0,
    "fp32": 32.0,
    "O1": 32.0,
    "O2": 32.0,
    "O3": 32.0,
    "fp16": 16.0,
    "O4": 16.0,
    "int8": 8.0,
    "uint8": 8.0,
    "quantized": 8.0,
    "q8": 8.0,
    "q4": 4.6,
    "q4f16": 4.5,
    "bnb4": 4.4,
}
"""Bits of a weight, by the suffix of a graph's name; of two alike the larger is taken."""

MOST_SUPPORT = 500
"""Files beside a graph; more are no tokenizer and configuration."""

_SUFFIX = re.compile(
    r"(?P<base>.+?)_(?P<suffix>fp32|fp16|int8|uint8|quantized|q8|q4f16|q4|q2f16|q2|q1f16|q1|bnb4|O[1-4]"
    r"|q(?:u?int8)_\w+|int4\w*)"
)
_DATA = re.compile(r"(?P<graph>.+\.onnx)[._]data(?:_\d+)?", re.IGNORECASE)
_MODULE = re.compile(r"\d+_\w+/.+")
_SUPPORT = re.compile(r"[^/]+\.(json|txt|model|jinja|spm|vocab|yaml|tiktoken)|[^/]*vocab[^/]*|merges\.txt")


def find_onnx(files: Sequence[File]) -> list[Bundle]:
    """One bundle for each folder of `genai`, and for each number format of other graphs."""
    taken = {file.path for own in files_of_folders(files).values() for file in own}
    rest = [file for file in files if file.path not in taken]
    return [*find_genai(files), *_variants(rest)]


def _variants(files: Sequence[File]) -> list[Bundle]:
    """The graphs by number format. A format that lacks a part that another has is none."""
    by_format: dict[tuple[str, str], list[File]] = {}
    for graph in files:
        if graph.ends_with(".onnx"):
            by_format.setdefault((graph.folder, split_graph(graph)[1]), []).append(graph)
    parts: dict[str, int] = {}
    for (folder, _), found in by_format.items():
        parts[folder] = max(parts.get(folder, 0), len(found))
    beside = _Beside(files)
    return [
        _variant(folder, suffix, graphs, beside, single=len(parts) == 1)
        for (folder, suffix), graphs in sorted(by_format.items())
        if len(graphs) == parts[folder]
    ]


class _Beside:
    """What goes along with graphs, each file looked at once."""

    def __init__(self, files: Sequence[File]) -> None:
        self._data: dict[str, list[File]] = {}
        self._support: dict[str, list[File]] = {}
        self._modules: list[File] = []
        for file in files:
            data = _DATA.fullmatch(file.path)
            if data is not None:
                self._data.setdefault(data["graph"], []).append(file)
            elif _MODULE.fullmatch(file.path):
                if file.ends_with(".json", ".safetensors"):
                    self._modules.append(file)
            elif _is_support(file):
                self._support.setdefault(file.folder, []).append(file)

    def data_of(self, graph: File) -> list[File]:
        """The weights of a graph: ``model.onnx_data``, ``model.onnx_data_1``, ``model.onnx.data``."""
        return self._data.get(graph.path, [])

    def support_of(self, folder: str) -> list[File]:
        """Tokenizer and configuration in the folder and above it, and the modules of sentence-transformers.

        Raises:
            ImportFailedError: There are too many to be that.
        """
        above = folder.rpartition("/")[0]
        folders = {folder, above, ""} if folder.rpartition("/")[2] == "onnx" else {folder, above}
        found = [file for one in folders for file in self._support.get(one, [])] + self._modules
        if len(found) > MOST_SUPPORT:
            raise ImportFailedError(
                f"There are {len(found)} files beside the model in {folder or 'the repository'!r}, more than"
                " belong to any. Choose another repository."
            )
        return sorted(found, key=lambda file: file.path)


def _variant(folder: str, suffix: str, graphs: list[File], beside: _Beside, *, single: bool) -> Bundle:
    label = suffix or "fp32"
    data = [file for graph in graphs for file in beside.data_of(graph)]
    first = next((graph for graph in graphs if split_graph(graph)[0] == "model"), graphs[0])
    others = [graph for graph in graphs if graph is not first]
    return Bundle(
        name=label if single else f"{folder or '.'}/{label}",
        format=FORMAT,
        files=(first, *others, *data, *beside.support_of(folder)),
        label=label,
        quality=BITS.get(suffix, 8.0 if "int8" in suffix else None),
    )


def split_graph(graph: File) -> tuple[str, str]:
    """A graph's name, and the number format behind it; ``model_q4.onnx`` is ``("model", "q4")``."""
    stem = graph.name.rpartition(".")[0]
    match = _SUFFIX.fullmatch(stem)
    return (match["base"], match["suffix"]) if match else (stem, "")


def _is_support(file: File) -> bool:
    """Whether it could be of a tokenizer or a configuration."""
    if is_clutter(file) or file.name == "LICENSE.txt" or file.ends_with(".index.json"):
        return False
    return _SUPPORT.fullmatch(file.name) is not None

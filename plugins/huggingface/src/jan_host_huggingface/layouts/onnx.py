"""ONNX repositories: number formats of a graph, with its weights, tokenizer and configuration.

Three layouts: that of onnx-community (graphs in ``onnx/``, the rest at the top), that of
sentence-transformers (the same, with ``modules.json`` and numbered folders), and that of
onnxruntime-genai (a folder with ``genai_config.json`` and all that belongs to it).
"""

import re
from collections import Counter
from collections.abc import Sequence

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.repositories import File

FORMAT = "onnx"
GENAI_FILE = "genai_config.json"
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

_SUFFIX = re.compile(
    r"(?P<base>.+?)_(?P<suffix>fp32|fp16|int8|uint8|quantized|q8|q4f16|q4|q2f16|q2|q1f16|q1|bnb4|O[1-4]"
    r"|q(?:u?int8)_\w+|int4\w*)"
)
_MODULE = re.compile(r"\d+_\w+/.+")
_SUPPORT = re.compile(r"[^/]+\.(json|txt|model|jinja|spm|vocab|yaml|tiktoken)|[^/]*vocab[^/]*|merges\.txt")


def find_onnx(files: Sequence[File]) -> list[Bundle]:
    """One bundle for each number format, or for each folder of onnxruntime-genai."""
    genai = [file.folder for file in files if file.name == GENAI_FILE]
    inside = [_genai(folder, genai, files) for folder in genai]
    graphs = [
        file
        for file in files
        if file.ends_with(".onnx") and not any(_is_in(file, folder) for folder in genai)
    ]
    return [*(bundle for bundle in inside if bundle is not None), *_variants(graphs, files)]


def _genai(folder: str, folders: Sequence[str], files: Sequence[File]) -> Bundle | None:
    """All of the folder, but for what another such folder below it holds."""
    below = [other for other in folders if other != folder and _is_in_folder(other, folder)]
    own = [file for file in files if _is_in(file, folder) and not any(_is_in(file, one) for one in below)]
    own = [file for file in own if not is_clutter(file)]
    graphs = [file for file in own if file.ends_with(".onnx")]
    if not graphs:
        return None
    first = next((file for file in graphs if file.name == "model.onnx"), graphs[0])
    name = folder or "genai"
    label = next(iter(re.findall(r"int4|int8|fp16|fp32|bf16", name, re.IGNORECASE)), "")
    return Bundle(
        name=name,
        format=FORMAT,
        files=(first, *(file for file in own if file is not first)),
        label=label.lower(),
        quality={"int4": 4.5, "int8": 8.0, "fp16": 16.0, "bf16": 16.0, "fp32": 32.0}.get(label.lower()),
    )


def _variants(graphs: Sequence[File], files: Sequence[File]) -> list[Bundle]:
    """The graphs by number format. A format that lacks a part that another has is none."""
    by_name: dict[tuple[str, str], list[File]] = {}
    for graph in graphs:
        by_name.setdefault((graph.folder, split_graph(graph)[1]), []).append(graph)
    most = Counter(folder for folder, _ in by_name)
    parts = {
        folder: max(len(found) for (other, _), found in by_name.items() if other == folder) for folder in most
    }
    whole = {key: found for key, found in by_name.items() if len(found) == parts[key[0]]}
    single = len({folder for folder, _ in whole}) == 1
    return [_variant(key, found, files, single=single) for key, found in sorted(whole.items())]


def _variant(key: tuple[str, str], graphs: list[File], files: Sequence[File], *, single: bool) -> Bundle:
    folder, suffix = key
    label = suffix or "fp32"
    data = [file for graph in graphs for file in files if is_data_of(file, graph)]
    near = [file for file in files if _is_support(file, folder)]
    first = next((graph for graph in graphs if split_graph(graph)[0] == "model"), graphs[0])
    return Bundle(
        name=label if single else f"{folder or '.'}/{label}",
        format=FORMAT,
        files=(first, *(graph for graph in graphs if graph is not first), *data, *near),
        label=label,
        quality=BITS.get(suffix, 8.0 if "int8" in suffix else None),
    )


def split_graph(graph: File) -> tuple[str, str]:
    """A graph's name, and the number format behind it; ``model_q4.onnx`` is ``("model", "q4")``."""
    stem = graph.name.rpartition(".")[0]
    match = _SUFFIX.fullmatch(stem)
    return (match["base"], match["suffix"]) if match else (stem, "")


def is_data_of(file: File, graph: File) -> bool:
    """Whether it holds weights of the graph, as ``model.onnx_data`` and ``model.onnx.data`` do."""
    rest = file.path.removeprefix(graph.path)
    return rest != file.path and re.fullmatch(r"[._]data(_\d+)?", rest) is not None


def is_clutter(file: File) -> bool:
    """What no engine needs and nobody reads beside a model: git's own files, and pictures."""
    return file.name.startswith(".git") or file.ends_with(".md", ".png", ".jpg", ".jpeg", ".gif", ".webp")


def _is_support(file: File, folder: str) -> bool:
    """Tokenizer and configuration beside the graph or above it, and the modules of sentence-transformers."""
    if is_clutter(file) or file.name == "LICENSE.txt":
        return False
    if _MODULE.fullmatch(file.path):
        return file.ends_with(".json", ".safetensors")
    above = {folder, folder.rpartition("/")[0]} if folder else {""}
    is_near = file.folder in above or (folder.rpartition("/")[2] == "onnx" and file.folder == "")
    return is_near and _SUPPORT.fullmatch(file.name) is not None and not file.ends_with(".index.json")


def _is_in(file: File, folder: str) -> bool:
    return not folder or file.path.startswith(folder + "/")


def _is_in_folder(folder: str, other: str) -> bool:
    return not other or folder.startswith(other + "/")

"""Which models lie among some files: what their graphs and configuration tell."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jan_host import Model, Source

from jan_host_onnx import variants
from jan_host_onnx.documents import read_object
from jan_host_onnx.layouts import Layout, check_tokenizer, describe

_GENERIC: Final = frozenset({"model", "decoder_model_merged", "onnx"})
_CAPABILITIES: Final = {
    "embedding": ["embed", "tokenize"],
    "reranker": ["rerank", "tokenize"],
    "decoder": ["chat", "complete", "tokenize"],
    "genai": ["chat", "complete", "tokenize"],
}


def inspect(files: Sequence[Path]) -> list[Model]:
    """The ONNX models among `files`, in the order of their folders and names.

    Args:
        files: Files of one folder and below. Graphs that differ in their number format alone are one model.

    Raises:
        ModelBrokenError: A graph can't be read, or lacks a file; names it and says why.
    """
    graphs = [path for path in files if path.suffix.lower() == ".onnx"]
    if not graphs:
        return []
    root = Path(os.path.commonpath([file.parent for file in files]))
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in sorted(graphs):
        groups.setdefault((path.parent, variants.base_of(path)), []).append(path)
    return [_model(group, list(files), root) for group in groups.values()]


def _model(graphs: list[Path], files: list[Path], root: Path) -> Model:
    layout = describe(variants.choose(graphs, None), variants.order(graphs), files)
    if layout.kind != "genai":
        check_tokenizer(layout)
    own = [layout.graph_path, *layout.companions(), *layout.graphs]
    sources = [path for path in dict.fromkeys(own) if path in set(files)]
    name = _name(layout)
    return Model(
        id=name,
        name=name,
        format="onnx",
        sources=[Source(filename=path.relative_to(root).as_posix()) for path in sources],
        metadata=_metadata(layout),
    )


def _name(layout: Layout) -> str:
    """The graph's name where it has one of its own, else its folder's."""
    stem = layout.graph_path.stem
    return layout.root.name if variants.base_of(layout.graph_path) in _GENERIC else stem


def _metadata(layout: Layout) -> dict[str, Any]:
    config = read_object(layout.config)
    architectures = config.get("architectures")
    found = {
        "size": layout.size,
        "architecture": layout.family,
        "architectures": architectures if isinstance(architectures, list) else None,
        "purpose": layout.kind if layout.kind != "genai" else "decoder",
        "capabilities": _CAPABILITIES[layout.kind],
        "context_length": layout.max_length,
        "dimensions": layout.dimensions,
        "variants": [path.name for path in layout.graphs] if len(layout.graphs) > 1 else None,
        "opset": layout.graph.opset,
    }
    return {key: value for key, value in found.items() if value}

"""Folders of small models, and models loaded from them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from jan_host import LoadedModel, Model, Source
from jan_host_onnx.engine import OnnxEngine
from tokenizers import Tokenizer

from tests.plugins.onnx.encoders import vocabulary
from tests.plugins.onnx.encoders.bert import Shape, random_weights, write_bert


@dataclass(frozen=True)
class Small:
    """A small model on disk, and what it was made of."""

    folder: Path
    model: Model
    shape: Shape
    weights: Mapping[str, Any]
    tokenizer: Tokenizer


def write_small(
    folder: Path,
    *,
    graph: str = "model.onnx",
    classes: int = 0,
    config: Mapping[str, Any] | None = None,
    documents: Mapping[str, Any] | None = None,
    **options: Any,
) -> Small:
    """Write a small model.

    Args:
        folder: Where.
        graph: The graph's file below it.
        classes: A classifier's numbers; 0 for none.
        config: Fields of config.json beside the usual.
        documents: Other JSON files, by their names.
        options: See `write_bert`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = vocabulary.write(folder / "tokenizer.json")
    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    weights = random_weights(shape, classes=classes)
    if classes:
        options.setdefault("head", "logits")
        config = {"architectures": ["BertForSequenceClassification"], **(config or {})}
    write_bert(folder / graph, shape, weights, **options)
    for name, content in {"config.json": shape.config(**(config or {})), **(documents or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return Small(folder, model_of([graph], folder.name), shape, weights, tokenizer)


def model_of(files: Sequence[str], name: str = "small") -> Model:
    """A model.json that names these files."""
    return Model(
        id=name, format="onnx", engine="onnxruntime", sources=[Source(filename=file) for file in files]
    )


async def load(model: Model, folder: Path, cache: Path | None = None, **settings: Any) -> LoadedModel:
    """Load as a worker does."""
    engine = OnnxEngine(cache)
    decoded = msgspec.convert(settings, engine.Settings, strict=False)
    return await engine.load(model, folder, decoded, lambda part: None)

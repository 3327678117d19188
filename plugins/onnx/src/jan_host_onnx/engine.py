"""The engine ONNX Runtime as the host sees it."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from jan_host import Engine, Footprint, LoadedModel, Model, ModelBrokenError, ModelLoadError, Progress

from jan_host_onnx.footprint import estimate
from jan_host_onnx.inspection import inspect
from jan_host_onnx.layouts import Layout, check_tokenizer, find_layout
from jan_host_onnx.settings import OnnxSettings, PlacedSettings


class OnnxEngine(Engine):
    """Runs ONNX models of text: embeddings, rerank and generation.

    Args:
        cache: Where optimised graphs are kept; ``None`` to optimise anew at each start.
    """

    name = "onnxruntime"
    aliases = frozenset({"onnx", "onnxruntime-genai", "onnx-runtime", "cortex.onnx"})
    formats = frozenset({"onnx"})
    runs_in = "worker"
    Settings = OnnxSettings
    environment: ClassVar[dict[str, str]] = {"TOKENIZERS_PARALLELISM": "true"}

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        """The ONNX models among `files`; see `Engine.inspect`."""
        return inspect(files)

    def estimate(self, model: Model, folder: Path | None, settings: Any) -> Footprint:
        """Weights and room to compute; see `Engine.estimate`."""
        return estimate(model, folder, settings)

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        """Bring the model into memory; see `Engine.load`."""
        cache = str(self._cache) if self._cache is not None else None
        settings = PlacedSettings(**msgspec.structs.asdict(settings), cache_folder=cache)
        try:
            layout = await asyncio.to_thread(find_layout, model.files(folder), folder, settings.variant)
            if layout.kind != "genai":
                check_tokenizer(layout)
        except ModelBrokenError as error:
            raise ModelLoadError(error.message, param=error.param) from error
        try:
            return await _load(layout, settings, progress, model.parameters)
        except ImportError as error:
            raise ModelLoadError(
                f"A library of the ONNX Runtime engine can't be imported ({error}). Install it anew:"
                " pip install --force-reinstall jan-host-onnx"
            ) from error


async def _load(
    layout: Layout, settings: OnnxSettings, progress: Progress, parameters: Mapping[str, Any]
) -> LoadedModel:
    """The model of a layout's kind. What computes is imported here, and not before."""
    if layout.kind == "embedding":
        from jan_host_onnx.embedding import load_embedder

        return await load_embedder(layout, settings, progress)
    if layout.kind == "reranker":
        from jan_host_onnx.reranking import load_reranker

        return await load_reranker(layout, settings, progress)
    from jan_host_onnx.generation import load_decoder

    return await load_decoder(layout, settings, progress, parameters)

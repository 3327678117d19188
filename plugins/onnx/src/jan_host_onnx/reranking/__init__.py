"""Rerankers: from pairs of texts to scores."""

from jan_host import LoadedModel, Progress

from jan_host_onnx.layouts import Layout
from jan_host_onnx.settings import OnnxSettings


async def load_reranker(layout: Layout, settings: OnnxSettings, progress: Progress) -> LoadedModel:
    """Bring a reranker into memory.

    Raises:
        ModelLoadError: It can't be loaded; says why.
    """
    raise NotImplementedError

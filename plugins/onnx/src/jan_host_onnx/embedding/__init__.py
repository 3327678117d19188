"""Embedding models: from texts to vectors."""

from jan_host import LoadedModel, Progress

from jan_host_onnx.layouts import Layout
from jan_host_onnx.settings import OnnxSettings


async def load_embedder(layout: Layout, settings: OnnxSettings, progress: Progress) -> LoadedModel:
    """Bring an embedding model into memory.

    Raises:
        ModelLoadError: It can't be loaded; says why.
    """
    raise NotImplementedError

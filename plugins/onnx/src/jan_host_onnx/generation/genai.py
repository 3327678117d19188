"""Folders in onnxruntime-genai's layout, through that package, which is an optional extra."""

from collections.abc import Callable

from jan_host import LoadedModel, ModelLoadError

from jan_host_onnx.layouts import Layout
from jan_host_onnx.settings import OnnxSettings


async def load_genai(
    layout: Layout,
    settings: OnnxSettings,
    progress: Callable[[float], None],
    default_limit: int | None = None,
) -> LoadedModel:
    """x"""
    raise ModelLoadError("x")

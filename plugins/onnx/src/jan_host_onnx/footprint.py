"""How much memory a model needs: its weights as they are computed with, and room to compute in."""

from functools import cache
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any, Final

from jan_host import Footprint, Model, ModelBrokenError

from jan_host_onnx.graph import Graph
from jan_host_onnx.layouts import Layout, find_layout
from jan_host_onnx.limits import cache_bytes, context_length

RUNTIME_BYTES: Final = 64 * 1024**2
"""The runtime's own code and buffers, measured with a small graph."""
_ROOM: Final = 0.25
"""Room to compute as a part of the weights: packed copies of weights and the values between layers."""
_GROWTH: Final = {"int8": 3, "uint8": 3, "float16": 2, "bfloat16": 2}
"""Bytes that a number grows by when it becomes one of 32 bits."""
_BYTES: Final = {"float16": 2, "bfloat16": 2, "int8": 1, "uint8": 1}
_DEVICE_LIBRARIES: Final = ("*providers_cuda*", "*providers_rocm*", "*providers_migraphx*", "DirectML*")


def estimate(model: Model, folder: Path | None, settings: Any) -> Footprint:
    """The memory that `model` will need.

    Args:
        model: The model.
        folder: Where its files are, or ``None``.
        settings: An instance of the engine's ``Settings``.
    """
    weights = int(model.metadata.get("size") or 0)
    on_device = settings.providers != ["cpu"] and _has_device()
    cache_size = 0
    if folder is not None:
        try:
            layout = find_layout(model.files(folder), folder, settings.variant)
            weights = layout.size + (0 if on_device else _growth(layout.graph))
            cache_size = _cache_bytes(layout, settings)
        except ModelBrokenError:  # what is wrong is said when the model is started
            files = [path for path in model.files(folder) if path.is_file()]
            weights = sum(path.stat().st_size for path in files) or weights
    if not weights:
        return Footprint()
    needed = int(weights * (1 + _ROOM)) + cache_size
    return Footprint(ram=RUNTIME_BYTES + (0 if on_device else needed), device=needed if on_device else 0)


def _cache_bytes(layout: Layout, settings: Any) -> int:
    """The KV caches of a decoder's sequences at full length.

    Where `n_parallel` is not set, the decoder works on as many as the free memory takes, and on one at least.
    """
    if layout.kind not in ("decoder", "genai"):
        return 0
    one_token = sum(
        prod(size for size in value.shape[1:] if isinstance(size, int)) * _BYTES.get(value.type, 4)
        for value in layout.graph.inputs
        if value.name.startswith("past") and len(value.shape) == 4
    )
    return cache_bytes(settings.n_parallel or 1, context_length(settings, layout), one_token)


def _growth(graph: Graph) -> int:
    """Bytes that weights grow by on a processor, which computes in 32 bits where no operator does in less."""
    in_few_bits = any(
        mark in operator
        for operator in graph.operators
        for mark in ("Quantize", "Integer", "NBits", "QLinear")
    )
    return sum(
        count * _GROWTH.get(kind, 0)
        for kind, count in graph.weights.items()
        if not (in_few_bits and kind.endswith("int8"))
    )


@cache
def _has_device() -> bool:
    """Whether the installed runtime was built for an accelerator, seen without loading it."""
    spec = find_spec("onnxruntime")
    folders = [Path(place) / "capi" for place in (spec and spec.submodule_search_locations) or ()]
    return any(next(folder.glob(name), None) for folder in folders for name in _DEVICE_LIBRARIES)

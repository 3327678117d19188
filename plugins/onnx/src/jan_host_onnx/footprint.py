"""How much memory a model needs: its weights, and room to compute in."""

from pathlib import Path
from typing import Any, Final

from jan_host import Footprint, Model, ModelBrokenError

from jan_host_onnx.layouts import find_layout

RUNTIME_BYTES: Final = 64 * 1024**2
"""The runtime's own code and buffers, measured with a small graph."""
_ROOM: Final = 0.25
"""Room to compute as a part of the weights: packed copies of weights and the values between layers."""


def estimate(model: Model, folder: Path | None, settings: Any) -> Footprint:
    """The memory that `model` will need.

    Args:
        model: The model.
        folder: Where its files are, or ``None``.
        settings: An instance of the engine's ``Settings``.
    """
    weights = int(model.metadata.get("size") or 0)
    if folder is not None:
        try:
            weights = find_layout(model.files(folder), folder, settings.variant).size
        except ModelBrokenError:  # what is wrong is said when the model is started
            files = [path for path in model.files(folder) if path.is_file()]
            weights = sum(path.stat().st_size for path in files) or weights
    return Footprint(ram=int(weights * (1 + _ROOM)) + RUNTIME_BYTES if weights else 0)

"""LoRA adapters for SmolLM2, written by the tests."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.plugins.llamacpp.writing import add_fields, close

WIDTH = 576
RANK = 4


def write_adapter(
    path: Path,
    *,
    seed: int = 1,
    strength: float = 1.5,
    layers: range = range(10, 20),
    architecture: str = "llama",
    kind: str = "adapter",
    alpha: Any = float(RANK),
    width: int = WIDTH,
    **fields: Any,
) -> Path:
    """An adapter that adds noise of some strength to the attention's output of some layers."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(kind)
    writer.add_string("adapter.type", "lora")
    if isinstance(alpha, float):
        writer.add_float32("adapter.lora.alpha", alpha)
    else:
        writer.add_string("adapter.lora.alpha", alpha)
    add_fields(writer, fields)
    for layer in layers:
        name = f"blk.{layer}.attn_output.weight"
        down = random.standard_normal((RANK, width)) / np.sqrt(width)
        up = strength * random.standard_normal((width, RANK))
        writer.add_tensor(f"{name}.lora_a", down.astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", up.astype(np.float32))
    return close(writer, path)

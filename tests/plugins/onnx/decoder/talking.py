"""Load SmolLM2 in ONNX in this process and talk to it, for the tests of this folder."""

from pathlib import Path
from typing import Any

import msgspec
from jan_host import Model, Source
from jan_host_onnx.engine import OnnxEngine
from jan_host_onnx.generation.model import DecoderModel

from tests.plugins.talking import CAPITAL, STORY, Answer, chat, collect, completion

__all__ = ["CAPITAL", "STORY", "Answer", "chat", "collect", "completion", "described", "load"]


def described(folder: Path) -> Model:
    """The model in `folder`, as a model.json would describe it."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Model(id="smollm2-onnx", format="onnx", sources=[Source(filename=name) for name in names])


async def load(folder: Path, **settings: Any) -> DecoderModel:
    """The model in `folder`, as a host loads it; four sequences of 512 tokens when nothing else is said."""
    engine = OnnxEngine()
    given = {"ctx_len": 512, "n_parallel": 4, **settings}
    decoded = msgspec.convert(given, engine.Settings, strict=False)
    loaded = await engine.load(described(folder), folder, decoded, lambda _: None)
    assert isinstance(loaded, DecoderModel)
    return loaded

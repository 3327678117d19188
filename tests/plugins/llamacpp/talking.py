"""Load SmolLM2 in this process and talk to it, for the tests of this folder."""

from pathlib import Path
from typing import Any

import msgspec
from jan_host import Model, Source
from jan_host_llamacpp.engine import LlamaCpp
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.talking import CAPITAL, STORY, Answer, chat, collect, completion

__all__ = ["CAPITAL", "STORY", "Answer", "chat", "collect", "completion", "load"]


async def load(path: Path, *, parameters: dict[str, Any] | None = None, **settings: Any) -> LlamaCppModel:
    """The model at `path`, loaded as a host would; two sequences of 512 tokens when nothing else is said."""
    model = Model(
        id="smollm2",
        format="gguf",
        sources=[Source(filename=path.name)],
        parameters=parameters or {},
    )
    given = {"ctx_len": 512, "n_parallel": 2, **settings}
    engine = LlamaCpp()
    decoded = msgspec.convert(given, engine.Settings, strict=False)
    loaded = await engine.load(model, path.parent, decoded, lambda _: None)
    assert isinstance(loaded, LlamaCppModel)
    return loaded

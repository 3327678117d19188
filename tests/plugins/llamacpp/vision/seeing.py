"""Load the tiny model in this process and show it images."""

from pathlib import Path
from typing import Any

import msgspec
from jan_host import ChatMessage, ChatRequest, ImagePart, ImageURL, LoadedModel, Model, Source, TextPart
from jan_host_llamacpp.engine import LlamaCpp

from tests.pictures import BLUE, GREEN, RED, Colour, png, url

PICTURES: dict[str, Colour] = {"red": RED, "green": GREEN, "blue": BLUE}


async def load(folder: Path, *sources: str, **settings: Any) -> LoadedModel:
    """The model in `folder`, loaded as a host would; four sequences of 512 tokens where nothing is said."""
    names = sources or ("eyes.gguf",)
    model = Model(id="eyes", format="gguf", sources=[Source(filename=name) for name in names])
    engine = LlamaCpp()
    given = {"ctx_len": 512, "n_parallel": 4, **settings}
    decoded = msgspec.convert(given, engine.Settings, strict=False)
    return await engine.load(model, folder, decoded, lambda _: None)


def user(*parts: str) -> ChatMessage:
    """A message of texts and images: a data URL, or the name of a colour, is an image."""
    found: list[Any] = []
    for part in parts:
        shown = url(png(PICTURES[part])) if part in PICTURES else part
        is_image = shown.startswith("data:")
        found.append(ImagePart(image_url=ImageURL(url=shown)) if is_image else TextPart(text=part))
    return ChatMessage(role="user", content=found)


def ask(*parts: str, **options: Any) -> ChatRequest:
    """A greedy request with one message."""
    return ChatRequest(messages=[user(*parts)], **{"temperature": 0.0, "max_tokens": 4, **options})

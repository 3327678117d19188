"""Upstreams, and models that are loaded from settings as the host does it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_host import LoadedModel, Model
from jan_host_openai.engine import AzureOpenAIEngine, OpenAIEngine
from jan_host_openai.model import RemoteModel

from tests.plugins.openai.upstream import Upstream, running

KEY = "sk-verysecret0123456789"
"""The key of every upstream of these tests; it must never be seen."""

LoadModel = Callable[..., Awaitable[Any]]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running() as started:
        yield started


@pytest.fixture
def second() -> Iterator[Upstream]:
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that the SDK would read by itself must not matter, but for the key that settings name."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "ambient-and-not-to-be-told")
    monkeypatch.setenv("UPSTREAM_KEY", KEY)


@pytest.fixture
async def load() -> AsyncIterator[LoadModel]:
    """Load a model from settings: ``await load(base_url=..., ...)``; Azure's with ``azure=True``."""
    loaded: list[LoadedModel] = []

    async def make(
        *, azure: bool = False, model_id: str = "the-model", origin: str | None = None, **settings: Any
    ) -> RemoteModel:
        engine = AzureOpenAIEngine() if azure else OpenAIEngine()
        decoded = msgspec.convert({"api_key": "env:UPSTREAM_KEY", **settings}, engine.Settings)
        model = await engine.load(Model(id=model_id, origin=origin), Path(), decoded, lambda _: None)
        assert isinstance(model, RemoteModel)
        loaded.append(model)
        return model

    yield make
    for each in loaded:
        await each.unload()

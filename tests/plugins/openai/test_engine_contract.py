"""The engine keeps every engine's contract; its upstream is a real jan-host with the example engine."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from jan_host import Engine, Model
from jan_host.testing import EngineContract
from jan_host_openai.engine import OpenAIEngine

from tests.examples.poem import write_model
from tests.plugins.openai.servers import jan_host


@pytest.fixture(scope="module")
def engine() -> Engine:
    return OpenAIEngine()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("remote")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    root = tmp_path_factory.mktemp("upstream")
    (root / "models" / "sea").mkdir(parents=True)
    write_model(root / "models" / "sea")
    with jan_host(root) as server:
        yield Model(id="sea", format="api", engine="openai", origin=server.url)


class TestOpenAIEngine(EngineContract):
    settings: ClassVar[Mapping[str, Any]] = {"capabilities": ["chat", "complete"]}
    context_tokens: ClassVar[int | None] = 4096

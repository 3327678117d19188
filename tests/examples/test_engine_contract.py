"""The example engine keeps the contract, in the test's process and in a worker."""

from pathlib import Path
from typing import ClassVar

import pytest
from jan_host import Engine, Model, Place
from jan_host.testing import EngineContract
from jan_host_example_engine.engine import NgramEngine

from tests.examples.poem import write_model


@pytest.fixture(scope="module")
def engine() -> Engine:
    return NgramEngine()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sea")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return write_model(folder)


class TestNgramEngine(EngineContract):
    context_tokens: ClassVar[int | None] = 4096


class TestNgramEngineInWorker(EngineContract):
    place: ClassVar[Place] = "worker"
    context_tokens: ClassVar[int | None] = 4096

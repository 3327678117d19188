"""What all checks of an engine share: its one loaded model, and what the author may set."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jan_host.contract.engine import CAPABILITIES, Engine, Place
from jan_host.contract.model import Model
from jan_host.testing.generation import Ask, Live
from jan_host.testing.places import Loader, loader_for
from jan_host.testing.running import Run

PROMPTS = (
    "The capital of France is",
    "Once upon a time there was",
    "Count from one to ten: one, two,",
    "Write a sentence about the sea.",
)


class EngineFixtures:
    """Fixtures and settings. An author's class gives `engine`, `model` and `folder` as fixtures."""

    place: ClassVar[Place] = "host"
    """Where the model is loaded: in the test's process, or ``"worker"``, as the host does it."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Load settings, as in a model.json."""
    prompts: ClassVar[Sequence[str]] = PROMPTS
    """Four prompts or more that the model has something to say to."""
    timeout_seconds: ClassVar[float] = 120
    """The deadline of each step."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls) -> Iterator[Run]:
        """Runs a coroutine on the loop on which the model lives."""
        with asyncio.Runner() as runner:
            yield Run(runner, cls.timeout_seconds)

    @pytest.fixture(scope="class")
    @classmethod
    def loader(cls, run: Run, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loader]:
        """Loads models in the class's `place`."""
        loader = loader_for(cls.place, engine, tmp_path_factory.mktemp("data"))
        yield loader
        run(loader.close())

    @pytest.fixture(scope="class")
    @classmethod
    def live(cls, run: Run, loader: Loader, model: Model, folder: Path) -> Iterator[Live]:
        """The loaded model."""
        live = Live(model.id, run(loader.load(model, folder, cls.settings)))
        yield live
        run(loader.unload(model, live.loaded))

    @pytest.fixture(scope="class", params=["chat", "complete"])
    @classmethod
    def ask(cls, request: pytest.FixtureRequest, live: Live) -> Ask:
        """Asks the model, once by chat and once by completion."""
        require(request.param, live)
        return Ask(request.param, live)


def require(capability: str, live: Live) -> None:
    """Skip the test, visibly, when the loaded model lacks a capability."""
    if not isinstance(live.loaded, CAPABILITIES[capability]):
        pytest.skip(f"the model has no capability {capability!r}")

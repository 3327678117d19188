"""A runtime with small timeouts, and launches of the engines in `engines`."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from jan_host import CompletionRequest, Event, Footprint, LoadedModel, Model
from jan_host.config import RuntimeConfig
from jan_host.plugins import EngineOrigin
from jan_host.runtime import Launch, Runtime

from tests.core.runtime import engines
from tests.processes import children_with

REPOSITORY = Path(__file__).parents[3]

MakeLaunch = Callable[..., Launch]


@pytest.fixture(autouse=True)
def engines_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture
def origin(tmp_path: Path) -> EngineOrigin:
    return EngineOrigin(
        entry_point="scripted",
        value="tests.core.runtime.engines",
        distribution="tests",
        version="1",
        data_folder=str(tmp_path / "data"),
    )


@pytest.fixture
def make_launch(origin: EngineOrigin, tmp_path: Path) -> MakeLaunch:
    def make(model_id: str = "tiny", *, engine: str = "scripted", **settings: Any) -> Launch:
        offered = {each.name: each for each in engines.jan_engines()}
        model = Model(id=model_id, engine=engine, format="script")
        return Launch(model=model, folder=tmp_path, engine=offered[engine], origin=origin, settings=settings)

    return make


class Events(list[Event]):
    """What a runtime published; `seen` waits for something."""

    def __init__(self) -> None:
        super().__init__()
        self._came = asyncio.Event()

    def publish(self, event: Event) -> None:
        self.append(event)
        self._came.set()

    async def seen(self, wanted: Callable[[Event], bool]) -> Event:
        async with asyncio.timeout(20):
            while True:
                for event in self:
                    if wanted(event):
                        return event
                self._came.clear()
                await self._came.wait()


@pytest.fixture
async def events() -> Events:
    return Events()


MakeRuntime = Callable[..., Runtime]


@pytest.fixture
async def make_runtime(events: Events) -> AsyncIterator[MakeRuntime]:
    made: list[Runtime] = []

    def make(*, budget: Footprint | None = None, cores: int | None = None, **settings: Any) -> Runtime:
        small = {"start_timeout_seconds": 30.0, "stop_seconds": 5.0, "cooldown_seconds": 30.0}
        runtime = Runtime(
            config=RuntimeConfig(**{**small, **settings}),
            publish=events.publish,
            budget=lambda: budget or Footprint(),
            cores=cores,
        )
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        await runtime.close(0)


async def complete(model: LoadedModel, prompt: str) -> str:
    """The text that the model answers."""
    request = CompletionRequest(prompt=prompt)
    return "".join([delta.text async for delta in model.complete(request)])  # type: ignore[attr-defined]  # a capability


async def ask(runtime: Runtime, launch: Launch, prompt: str) -> str:
    """One request, as the host makes it."""
    async with runtime.lease(launch) as model:
        return await complete(model, prompt)


def own_workers() -> list[psutil.Process]:
    """The workers that this process started itself; servers of other tests have theirs."""
    return children_with("jan_host.runtime.worker")


class Gate:
    """Holds up the load of a model until `open`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate"
        os.mkfifo(self.path)

    async def open(self) -> None:
        await asyncio.to_thread(self.path.write_bytes, b"go")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)

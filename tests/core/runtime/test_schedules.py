"""Many models and clients in random orders: whatever happens when, the rules of memory hold to the end."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_host import (
    Footprint,
    InsufficientMemoryError,
    JanHostError,
    LoadedModel,
    Model,
    ModelEvent,
    ModelLoadError,
    ModelNotFoundError,
    ModelStatus,
    Progress,
    UnavailableError,
)
from jan_host.runtime import Launch, Runtime

from tests.core.runtime.conftest import Events, MakeLaunch, MakeRuntime, ask
from tests.core.runtime.engines import Chatty, HostEngine

BUDGET = 10
SIZES = {"a": 6, "b": 6, "c": 3, "d": 2, "e": 0, "pinned": 2, "huge": 11, "bad": 3}
"""What each model needs; one can't fit, one fails, and one never leaves by itself."""
SECONDS = 30

FOLLOWS: dict[str | None, set[str]] = {
    None: {"starting"},
    "downloaded": {"starting"},
    "starting": {"running", "failed", "stopping", "downloaded"},
    "running": {"stopping"},
    "stopping": {"downloaded", "running"},
    "failed": {"starting", "downloaded"},
}
"""Which status may come after which."""


@dataclass
class Ledger:
    """What is in memory, as the engine itself sees it; and what was wrong with that."""

    held: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def load(self, name: str) -> None:
        if name in self.held:
            self.wrong.append(f"{name} was loaded twice")
        self.held[name] = SIZES[name]
        if SIZES[name] and sum(self.held.values()) > BUDGET:
            self.wrong.append(f"too much: {self.held}")


class Held(Chatty):
    def __init__(self, ledger: Ledger, name: str) -> None:
        super().__init__()
        self._ledger, self._name = ledger, name

    async def unload(self) -> None:
        await asyncio.sleep(0)
        del self._ledger.held[self._name]


class LedgerEngine(HostEngine):
    """Takes some turns of the loop to load, and writes down what it holds."""

    def __init__(self, ledger: Ledger, chance: random.Random) -> None:
        self._ledger, self._chance = ledger, chance

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        self._ledger.load(model.id)
        try:
            for _ in range(self._chance.randrange(8)):
                await asyncio.sleep(0)
            if model.id == "bad":
                raise ModelLoadError("It is bad.")
        except BaseException:
            del self._ledger.held[model.id]
            raise
        return Held(self._ledger, model.id)


class World:
    """A runtime with a small memory, and what clients do with it."""

    def __init__(self, runtime: Runtime, make_launch: MakeLaunch, seed: int) -> None:
        self.runtime = runtime
        self.chance = random.Random(seed)
        self.ledger = Ledger()
        self.engine = LedgerEngine(self.ledger, self.chance)
        self._make_launch = make_launch

    def launch(self, name: str, **settings: Any) -> Launch:
        launch = self._make_launch(name, engine="hosted", **settings)
        model = msgspec.structs.replace(launch.model, metadata={"size": SIZES[name]})
        keep_alive = -1 if name == "pinned" else self.chance.choice([None, None, 0.0, 0.001, 60.0])
        return replace(launch, model=model, engine=self.engine, keep_alive=keep_alive)

    async def turns(self, most: int) -> None:
        for _ in range(self.chance.randrange(most)):
            await asyncio.sleep(0)

    async def ask(self, name: str) -> None:
        count = self.chance.randrange(1, 12)
        answer = await ask(self.runtime, self.launch(name), f"count {count}")
        assert answer == "".join(f"{number} " for number in range(count))

    async def ask_and_go(self, name: str) -> None:
        """A client that may go away in any moment."""
        asking = asyncio.create_task(self.ask(name))
        await self.turns(30)
        asking.cancel()
        with suppress(asyncio.CancelledError, JanHostError):
            await asking

    async def start(self, name: str) -> None:
        await self.runtime.start(
            self.launch(name, ctx_len=self.chance.choice([64, 128])), explicit=bool(self.chance.randrange(2))
        )

    async def stop(self, name: str) -> None:
        await self.runtime.stop(name)

    async def remove(self, name: str) -> None:
        async with self.runtime.removing(name, ModelNotFoundError("It is gone.")):
            assert name not in self.ledger.held
            await self.turns(5)


@pytest.fixture
def world(make_runtime: MakeRuntime, make_launch: MakeLaunch, seed: int) -> World:
    runtime = make_runtime(budget=Footprint(ram=BUDGET), stop_seconds=0.01, cooldown_seconds=0.0)
    return World(runtime, make_launch, seed)


@pytest.fixture(autouse=True)
async def nothing_is_left(world: World, events: Events) -> AsyncIterator[None]:
    """At the end of each test: nothing was wrong on the way, and nothing is left."""
    yield
    async with asyncio.timeout(SECONDS):
        await world.runtime.close(0)
    await asyncio.sleep(0)
    assert world.ledger.wrong == []
    assert (world.ledger.held, world.runtime.running()) == ({}, [])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert bad_steps(events) == []
    assert [
        event
        for event in events
        if isinstance(event, ModelEvent) and event.model == "pinned" and "needed" in (event.reason or "")
    ] == []


def bad_steps(events: Events) -> list[tuple[str, str | None, str]]:
    """Each status that may not follow the one before it."""
    last: dict[str, str] = {}
    found = []
    for event in events:
        if isinstance(event, ModelEvent):
            status = event.status.value
            before = last.get(event.model)
            if status not in FOLLOWS[before]:
                found.append((event.model, before, status))
            last[event.model] = status
    return found


async def run(
    world: World, actions: Sequence[Callable[[str], Awaitable[None]]], names: str, count: int
) -> list[JanHostError]:
    """So many clients, each of which comes at a random time and does one thing; what they were refused."""

    async def client() -> None:
        await world.turns(200)
        await world.chance.choice(actions)(world.chance.choice(names.split()))

    async with asyncio.timeout(SECONDS):
        outcomes = await asyncio.gather(*(client() for _ in range(count)), return_exceptions=True)
    errors = [outcome for outcome in outcomes if outcome is not None]
    for error in errors:
        if not isinstance(error, JanHostError):
            raise error
    return [error for error in errors if isinstance(error, JanHostError)]


@pytest.mark.parametrize("seed", range(25))
async def test_who_only_asks_is_always_answered(world: World) -> None:
    assert await run(world, [world.ask, world.ask, world.ask_and_go], "a b c d e", 60) == []


@pytest.mark.parametrize("seed", range(40))
async def test_everything_at_once(world: World) -> None:
    actions = [world.ask, world.ask, world.ask_and_go, world.start, world.stop, world.remove]
    errors = await run(world, actions, "a b c d e pinned huge bad", 80)
    allowed = (InsufficientMemoryError, UnavailableError, ModelNotFoundError, ModelLoadError)
    assert all(isinstance(error, allowed) for error in errors), errors


@pytest.mark.parametrize("seed", range(15))
async def test_the_host_ends_in_the_midst_of_it(world: World) -> None:
    actions = [world.ask, world.ask_and_go, world.start, world.stop, world.remove]
    running = asyncio.create_task(run(world, actions, "a b c d e pinned", 60))
    await world.turns(150)
    async with asyncio.timeout(SECONDS):
        await world.runtime.close(0.01)
        assert world.runtime.running() == []
        await running


@pytest.mark.parametrize("seed", range(5))
async def test_the_last_word_on_each_model_is_how_it_stands(world: World, events: Events) -> None:
    await run(world, [world.ask, world.start, world.stop], "a b c d", 60)
    last = {event.model: event.status for event in events if isinstance(event, ModelEvent)}
    for name, status in last.items():
        assert status == (world.runtime.status(name).status or ModelStatus.DOWNLOADED)
        if status is not ModelStatus.STOPPING:
            assert (status is ModelStatus.RUNNING) == (name in world.ledger.held)

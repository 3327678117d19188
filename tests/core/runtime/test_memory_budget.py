"""What models take together stays within a budget: idle ones leave, busy ones end first, pinned ones stay."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from jan_host import (
    Completes,
    CompletionRequest,
    Footprint,
    InsufficientMemoryError,
    LoadedModel,
    ModelEvent,
    ModelStatus,
)
from jan_host.runtime import Launch, Runtime

from tests.core.runtime.conftest import Events, Gate, MakeLaunch, MakeRuntime, ask

GB = 10**9
SECONDS = 20

Sized = Callable[..., Launch]


@pytest.fixture
def sized(make_launch: MakeLaunch) -> Sized:
    """A launch of a model that needs so many gigabytes."""

    def make(
        model_id: str,
        gigabytes: float,
        *,
        keep_alive: float | None = None,
        engine: str = "hosted",
        **more: Any,
    ) -> Launch:
        launch = make_launch(model_id, engine=engine, **more)
        model = msgspec.structs.replace(launch.model, metadata={"size": int(gigabytes * GB)})
        return replace(launch, model=model, keep_alive=keep_alive)

    return make


@pytest.fixture
def small(make_runtime: MakeRuntime) -> Runtime:
    """A runtime whose models may take 10 GB."""
    return make_runtime(budget=Footprint(ram=10 * GB))


@asynccontextmanager
async def busy(runtime: Runtime, launch: Launch) -> AsyncIterator[LoadedModel]:
    """A request that goes on until the block ends."""
    async with runtime.lease(launch) as model:
        assert isinstance(model, Completes)
        deltas = model.complete(CompletionRequest(prompt="endless"))
        await anext(deltas)
        yield model
        await deltas.aclose()  # type: ignore[attr-defined]  # it is a generator


async def until(events: Events, model_id: str, status: ModelStatus) -> None:
    await events.seen(
        lambda event: isinstance(event, ModelEvent) and (event.model, event.status) == (model_id, status)
    )


async def test_models_that_fit_stay_together(small: Runtime, sized: Sized) -> None:
    for name in ("a", "b"):
        assert await ask(small, sized(name, 5), "count 1") == "0 "
    assert small.running() == ["a", "b"]


async def test_the_idle_model_that_was_used_longest_ago_leaves(small: Runtime, sized: Sized) -> None:
    a, b, c = (sized(name, 4) for name in "abc")
    for launch in (a, b, a, c):
        await ask(small, launch, "count 1")
    assert small.running() == ["a", "c"]


@pytest.mark.parametrize("engine", ["chatty", "hosted"])
async def test_a_busy_model_ends_its_request_before_it_leaves(
    small: Runtime, sized: Sized, events: Events, engine: str
) -> None:
    a, b = sized("a", 6, engine=engine), sized("b", 6, engine=engine)
    async with busy(small, a) as model:
        starting = asyncio.create_task(ask(small, b, "count 1"))
        await until(events, "a", ModelStatus.STOPPING)
        assert isinstance(model, Completes)
        # What runs goes on undisturbed, and a request that comes now waits for its turn.
        assert (
            "".join([d.text async for d in model.complete(CompletionRequest(prompt="count 3"))]) == "0 1 2 "
        )
        late = asyncio.create_task(ask(small, a, "count 2"))
    async with asyncio.timeout(SECONDS):
        assert await starting == "0 "
        assert await late == "0 1 "
    assert small.running() == ["a"]


async def test_an_idle_model_leaves_before_a_busy_one(small: Runtime, sized: Sized) -> None:
    await ask(small, sized("idle", 4), "count 1")
    async with busy(small, sized("busy", 4)):
        await ask(small, sized("new", 4), "count 1")
        assert small.running() == ["busy", "new"]


async def test_a_model_larger_than_the_budget_is_refused_with_the_figures(
    small: Runtime, sized: Sized
) -> None:
    await ask(small, sized("small", 2), "count 1")
    with pytest.raises(InsufficientMemoryError, match=r"huge needs 11\.0 GB .* may take 10\.0 GB"):
        await ask(small, sized("huge", 11), "count 1")
    assert small.running() == ["small"]  # nobody had to leave for it
    with pytest.raises(InsufficientMemoryError):  # and it is told so again, not to come back later
        await ask(small, sized("huge", 11), "count 1")


async def test_a_pinned_model_never_leaves(small: Runtime, sized: Sized) -> None:
    await ask(small, sized("pinned", 4, keep_alive=-1), "count 1")
    with pytest.raises(InsufficientMemoryError, match=r"of which the pinned pinned holds 4\.0 GB"):
        await ask(small, sized("large", 7), "count 1")
    await ask(small, sized("other", 6), "count 1")
    await ask(small, sized("third", 5), "count 1")
    assert small.running() == ["pinned", "third"]


async def test_a_load_that_is_under_way_is_waited_for(
    small: Runtime, sized: Sized, events: Events, gate: Gate
) -> None:
    first = asyncio.create_task(ask(small, sized("a", 6, gate=str(gate.path)), "count 1"))
    second = asyncio.create_task(ask(small, sized("b", 6), "count 1"))
    await gate.open()
    async with asyncio.timeout(SECONDS):
        assert (await first, await second) == ("0 ", "0 ")
    assert small.running() == ["b"]
    loads = [
        event.model
        for event in events
        if isinstance(event, ModelEvent) and event.status is ModelStatus.STARTING
    ]
    assert loads == ["a", "b"]  # who waited for the load is answered before the model leaves


async def test_starts_come_in_the_order_in_which_they_were_asked_for(
    small: Runtime, sized: Sized, events: Events
) -> None:
    async with busy(small, sized("first", 6)):
        waiting = [
            asyncio.create_task(ask(small, sized(name, 6), "count 1"))
            for name in ("second", "third", "fourth")
        ]
        await until(events, "first", ModelStatus.STOPPING)
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*waiting)
    ran = [
        event.model
        for event in events
        if isinstance(event, ModelEvent) and event.status is ModelStatus.RUNNING
    ]
    assert ran == ["first", "second", "third", "fourth"]


async def test_a_start_that_nobody_waits_for_any_more_is_given_up(
    small: Runtime, sized: Sized, events: Events
) -> None:
    async with busy(small, sized("busy", 6)):
        waiting = asyncio.create_task(ask(small, sized("unwanted", 6), "count 1"))
        await until(events, "unwanted", ModelStatus.STARTING)
        waiting.cancel()
        await until(events, "unwanted", ModelStatus.DOWNLOADED)
    assert "unwanted" not in small.running()


async def test_requests_for_two_models_that_do_not_fit_together_are_all_answered(
    small: Runtime, sized: Sized
) -> None:
    launches = [sized("a", 6), sized("b", 6)]

    async def client(number: int) -> list[str]:
        return [await ask(small, launches[(number + turn) % 2], "count 2") for turn in range(10)]

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(client(number) for number in range(4)))
    assert answers == [["0 1 "] * 10] * 4


async def test_a_user_who_stops_a_model_that_makes_room_does_not_wait_for_ever(
    make_runtime: MakeRuntime, sized: Sized, events: Events
) -> None:
    runtime = make_runtime(budget=Footprint(ram=10 * GB), stop_seconds=0.1)
    async with runtime.lease(sized("stuck", 6)):  # its request never ends by itself
        starting = asyncio.create_task(ask(runtime, sized("new", 6), "count 1"))
        await until(events, "stuck", ModelStatus.STOPPING)
        await runtime.stop("stuck")
        async with asyncio.timeout(SECONDS):
            assert await starting == "0 "


async def test_device_memory_has_a_budget_of_its_own(make_runtime: MakeRuntime, sized: Sized) -> None:
    runtime = make_runtime(budget=Footprint(device=GB))
    for name in "ab":
        await ask(runtime, sized(name, 50), "count 1")  # main memory has no limit here
    assert runtime.running() == ["a", "b"]


async def test_an_idle_model_leaves_after_its_time(
    make_runtime: MakeRuntime, sized: Sized, events: Events
) -> None:
    runtime = make_runtime(keep_alive_seconds=0.001)
    await ask(runtime, sized("short", 1), "count 1")
    await until(events, "short", ModelStatus.STOPPING)
    await ask(runtime, sized("long", 1, keep_alive=3600), "count 1")
    await runtime.start(sized("by-hand", 1), explicit=True)
    await ask(runtime, sized("short", 1), "count 1")
    await until(events, "short", ModelStatus.DOWNLOADED)
    assert set(runtime.running()) >= {"by-hand", "long"}


async def test_a_model_that_is_used_does_not_rest(make_runtime: MakeRuntime, sized: Sized) -> None:
    runtime = make_runtime()
    launch = sized("a", 1, keep_alive=0)
    async with busy(runtime, launch):
        assert runtime.status("a").status is ModelStatus.RUNNING


async def test_a_start_by_hand_with_other_settings_starts_anew(small: Runtime, sized: Sized) -> None:
    await small.start(sized("a", 1), explicit=True)
    await small.start(sized("a", 1, ctx_len=64), explicit=True)
    assert small.status("a").settings == {"ctx_len": 64}
    await ask(small, sized("a", 1), "count 1")  # a request takes it as it runs
    assert small.status("a").settings == {"ctx_len": 64}

"""Starts that wait for busy models: others pass, waits end, and what need not leave stays."""

import asyncio
import os
import signal
from contextlib import suppress

import pytest
from jan_host import (
    Footprint,
    InsufficientMemoryError,
    JanHostError,
    ModelEvent,
    ModelNotFoundError,
    ModelStatus,
    UnavailableError,
    WorkerCrashedError,
)
from jan_host.config import RuntimeConfig
from jan_host.runtime import Runtime

from tests.core.runtime.conftest import Events, Gate, MakeRuntime, ask, own_workers
from tests.core.runtime.test_memory_budget import GB, SECONDS, Sized, busy, sized, small, until

__all__ = ["sized", "small"]  # fixtures, for the tests here too


async def test_starts_that_fit_pass_one_that_waits(small: Runtime, sized: Sized, events: Events) -> None:
    async with busy(small, sized("a", 6)):
        waiting = asyncio.create_task(ask(small, sized("b", 7), "count 1"))
        await until(events, "a", ModelStatus.STOPPING)
        async with asyncio.timeout(SECONDS):
            assert await ask(small, sized("passes", 3), "count 1") == "0 "
            assert await ask(small, sized("no weights", 0), "count 1") == "0 "
        # This one would fit now, and take the room that the first will need.
        late = asyncio.create_task(ask(small, sized("late", 1), "count 1"))
        await until(events, "late", ModelStatus.STARTING)
        assert not late.done()
    async with asyncio.timeout(SECONDS):
        assert (await waiting, await late) == ("0 ", "0 ")
    ran = [
        each.model for each in events if isinstance(each, ModelEvent) and each.status is ModelStatus.RUNNING
    ]
    assert ran == ["a", "passes", "no weights", "b", "late"]


async def test_a_wait_has_an_end_and_says_who_holds_the_memory(
    make_runtime: MakeRuntime, sized: Sized, events: Events
) -> None:
    runtime = make_runtime(budget=Footprint(ram=10 * GB), start_timeout_seconds=0.3)
    async with runtime.lease(sized("stuck", 6)):
        told = r"b needs 6\.0 GB .* of the 10\.0 GB .* within 0\.3 s.* stuck \(6\.0 GB of memory, 1 request\)"
        with pytest.raises(UnavailableError, match=told) as caught:
            await ask(runtime, sized("b", 6), "count 1")
        assert caught.value.retry_after
        async with asyncio.timeout(SECONDS):  # and the model that was to leave is there for all again
            assert await ask(runtime, sized("stuck", 6), "count 1") == "0 "
        with pytest.raises(UnavailableError, match="found no room"):  # no pause: it is tried at once
            await ask(runtime, sized("b", 6), "count 1")
    assert await ask(runtime, sized("b", 6), "count 1") == "0 "


async def test_a_model_stays_when_nobody_needs_its_memory_any_more(
    small: Runtime, sized: Sized, events: Events
) -> None:
    async with busy(small, sized("a", 6)):
        unwanted = asyncio.create_task(ask(small, sized("b", 6), "count 1"))
        await until(events, "a", ModelStatus.STOPPING)
        late = asyncio.create_task(ask(small, sized("a", 6), "count 2"))
        unwanted.cancel()
        async with asyncio.timeout(SECONDS):
            assert await late == "0 1 "  # though the first request still runs
    assert small.running() == ["a"]


async def test_an_idle_model_goes_in_place_of_one_that_would_have_to_end(
    small: Runtime, sized: Sized, events: Events
) -> None:
    async with busy(small, sized("a", 5)):
        async with busy(small, sized("b", 5)):
            waiting = asyncio.create_task(ask(small, sized("c", 5), "count 1"))
            await until(events, "a", ModelStatus.STOPPING)
        async with asyncio.timeout(SECONDS):
            assert await waiting == "0 "
        assert small.running() == ["a", "c"]
        assert small.status("a").status is ModelStatus.RUNNING


async def test_a_model_that_is_started_by_hand_and_never_rests_answers_its_starter(
    small: Runtime, sized: Sized, events: Events
) -> None:
    async with asyncio.timeout(SECONDS):
        await small.start(sized("a", 1, keep_alive=0), explicit=True)
        await until(events, "a", ModelStatus.DOWNLOADED)


async def test_a_pinned_model_that_comes_meanwhile_refuses_who_waits(
    small: Runtime, sized: Sized, events: Events
) -> None:
    async with busy(small, sized("a", 6)):
        waiting = asyncio.create_task(ask(small, sized("b", 6), "count 1"))
        await until(events, "a", ModelStatus.STOPPING)
        async with asyncio.timeout(SECONDS):
            await small.start(sized("a", 6, keep_alive=-1), explicit=True)
            with pytest.raises(InsufficientMemoryError, match="pinned a holds"):
                await waiting


async def test_a_look_at_the_queue_is_taken_when_something_happens_and_not_else(
    sized: Sized, events: Events
) -> None:
    looks = 0

    def budget() -> Footprint:
        nonlocal looks
        looks += 1
        return Footprint(ram=10 * GB)

    runtime = Runtime(config=RuntimeConfig(), publish=events.publish, budget=budget)
    async with busy(runtime, sized("a", 6)):
        waiting = asyncio.create_task(ask(runtime, sized("b", 6), "count 1"))
        await until(events, "a", ModelStatus.STOPPING)
        for _ in range(50):
            await asyncio.sleep(0)
        before = looks
        for _ in range(1000):
            await asyncio.sleep(0)
        assert looks == before
    assert await waiting == "0 "
    await runtime.close(0)


@pytest.mark.parametrize("moment", ["starting", "draining", "stopping"])
async def test_a_worker_that_is_killed_at_a_bad_moment(
    small: Runtime, sized: Sized, events: Events, gate: Gate, moment: str
) -> None:
    launch = sized("a", 6, engine="chatty", gate=str(gate.path) if moment == "starting" else "")

    async def use() -> str:
        return await ask(small, launch, "endless" if moment == "draining" else "count 1")

    using = asyncio.create_task(use())
    async with asyncio.timeout(SECONDS):
        if moment == "starting":
            await events.seen(lambda event: not isinstance(event, ModelEvent))  # its load has begun
        else:
            await until(events, "a", ModelStatus.RUNNING)
        if moment == "stopping":
            await using
        waiting = asyncio.create_task(ask(small, sized("b", 6), "count 1"))
        if moment != "starting":
            await until(events, "a", ModelStatus.STOPPING)
        for worker in own_workers():  # of a model that stops, it may just have ended
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        assert await waiting == "0 "
        if moment != "stopping":
            with pytest.raises(JanHostError) as caught:
                await using
            assert "SIGKILL" in caught.value.message
            assert isinstance(caught.value, WorkerCrashedError) == (moment == "draining")
    assert (small.running(), own_workers()) == (["b"], [])


async def test_who_asks_for_a_model_that_is_removed_is_told_and_the_next_one_starts_afresh(
    small: Runtime, sized: Sized, events: Events
) -> None:
    gone = ModelNotFoundError("It is deleted.")
    async with busy(small, sized("busy", 6)):
        waiting = asyncio.create_task(ask(small, sized("a", 6), "count 1"))
        await until(events, "busy", ModelStatus.STOPPING)
        async with small.removing("a", gone):
            with pytest.raises(ModelNotFoundError):
                await waiting
            with pytest.raises(ModelNotFoundError):
                await small.start(sized("a", 1), explicit=True)
        assert await ask(small, sized("a", 1), "count 1") == "0 "

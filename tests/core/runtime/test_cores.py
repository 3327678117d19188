"""The cores of the machine are shared out among the models that work, and come back from those that don't."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil
import pytest
from jan_host import CompletionRequest
from jan_host.runtime import Launch, Runtime

from tests.core.runtime.conftest import MakeLaunch, MakeRuntime, ask

SECONDS = 20


class Told:
    """What one model was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._lines = asyncio.StreamReader()

    async def listen(self) -> asyncio.BaseTransport:
        # Open for writing too, so that the end of a writer is not the end of the pipe.
        pipe = os.fdopen(os.open(self.path, os.O_RDWR | os.O_NONBLOCK), "rb", buffering=0)
        protocol = asyncio.StreamReaderProtocol(self._lines)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        return transport

    async def next(self) -> int | None:
        """The next number of cores; ``None``: all."""
        async with asyncio.timeout(SECONDS):
            line = (await self._lines.readline()).decode().strip()
            return None if line == "None" else int(line)


MakeSharing = Callable[[str], Awaitable[tuple[Launch, Told]]]


@pytest.fixture
async def make_sharing(make_launch: MakeLaunch, tmp_path: Path) -> AsyncIterator[MakeSharing]:
    """Makes a launch of a model that shares cores, and what it is told."""
    transports: list[asyncio.BaseTransport] = []

    async def make(name: str) -> tuple[Launch, Told]:
        told = Told(tmp_path / f"told-{name}")
        transports.append(await told.listen())
        return make_launch(name, engine="sharing", told=str(told.path)), told

    yield make
    for transport in transports:
        transport.close()
    await asyncio.sleep(0)  # asyncio closes a pipe in the loop's next turn


@asynccontextmanager
async def working(runtime: Runtime, launch: Launch) -> AsyncIterator[None]:
    """The model has a request for the time of the block."""
    begun = asyncio.Event()

    async def run() -> None:
        async with runtime.lease(launch) as model:
            async for _ in model.complete(CompletionRequest(prompt="endless")):  # type: ignore[attr-defined]  # a capability
                begun.set()

    task = asyncio.create_task(run())
    try:
        async with asyncio.timeout(SECONDS):
            await begun.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_two_that_work_have_half_each_and_one_alone_has_all(
    make_runtime: MakeRuntime, make_sharing: MakeSharing
) -> None:
    runtime = make_runtime(cores=4)
    (first, first_told), (second, second_told) = await make_sharing("first"), await make_sharing("second")
    await runtime.start(first)
    await runtime.start(second)
    async with working(runtime, first):
        assert await second_told.next() == 2, "who is idle learns with how much it would begin"
        async with working(runtime, second):
            assert await first_told.next() == 2, "and the one that works has all until then"
        assert await first_told.next() is None
    assert await second_told.next() is None


async def test_a_model_that_comes_while_another_works_begins_with_its_part(
    make_runtime: MakeRuntime, make_sharing: MakeSharing
) -> None:
    runtime = make_runtime(cores=4)
    (first, _), (second, second_told) = await make_sharing("first"), await make_sharing("second")
    async with working(runtime, first):
        await runtime.start(second)
        assert await second_told.next() == 2


async def test_what_does_not_divide_is_of_those_who_began_first(
    make_runtime: MakeRuntime, make_sharing: MakeSharing
) -> None:
    runtime = make_runtime(cores=5)
    (first, first_told), (second, second_told) = await make_sharing("first"), await make_sharing("second")
    third, third_told = await make_sharing("third")
    async with working(runtime, first), working(runtime, second):
        assert (await first_told.next(), await second_told.next()) == (3, 2)
        async with working(runtime, third):
            assert (await first_told.next(), await third_told.next()) == (2, 1)


async def test_nobody_has_less_than_one(make_runtime: MakeRuntime, make_sharing: MakeSharing) -> None:
    runtime = make_runtime(cores=2)
    made = [await make_sharing(name) for name in ("a", "b", "c", "d")]
    async with AsyncExitStack() as works:
        for launch, _ in made:
            await works.enter_async_context(working(runtime, launch))
        for _, told in made:
            assert await told.next() == 1


async def test_a_crash_gives_the_cores_back(make_runtime: MakeRuntime, make_sharing: MakeSharing) -> None:
    runtime = make_runtime(cores=4)
    (first, told), (second, _) = await make_sharing("first"), await make_sharing("second")
    async with working(runtime, first), working(runtime, second):
        assert await told.next() == 2
        pid = runtime.status("second").pid
        assert pid is not None
        psutil.Process(pid).kill()
        assert await told.next() is None


async def test_a_stop_gives_the_cores_back(make_runtime: MakeRuntime, make_sharing: MakeSharing) -> None:
    runtime = make_runtime(cores=4, stop_seconds=0.0)
    (first, told), (second, _) = await make_sharing("first"), await make_sharing("second")
    async with working(runtime, first), working(runtime, second):
        assert await told.next() == 2
        await runtime.stop("second")
        assert await told.next() is None


async def test_a_model_that_can_not_share_counts_all_the_same(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, make_sharing: MakeSharing
) -> None:
    runtime, plain = make_runtime(cores=4), make_launch("plain")
    sharing, told = await make_sharing("sharing")
    async with working(runtime, sharing), working(runtime, plain):
        assert await told.next() == 2
    assert await ask(runtime, plain, "count 2") == "0 1 "


async def test_an_engine_that_fails_to_change_goes_on(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, make_sharing: MakeSharing, tmp_path: Path
) -> None:
    runtime = make_runtime(cores=4)
    failing = make_launch("failing", engine="sharing", told=str(tmp_path / "no such pipe"))
    sharing, told = await make_sharing("sharing")
    async with working(runtime, failing), working(runtime, sharing):
        assert await told.next() == 2
        assert await ask(runtime, failing, "count 2") == "0 1 "

"""What native code does to its process, and what the host makes of it."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from jan_host import (
    CompletionRequest,
    ModelCoolingDownError,
    ModelEvent,
    ModelLoadError,
    ModelStatus,
    WorkerCrashedError,
)
from jan_host.runtime.cooldown import CRASH_LOOP

from tests.core.runtime.conftest import Events, MakeLaunch, MakeRuntime, ask, complete, own_workers


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("segfault", "was ended by SIGSEGV"),
        ("exit", "ended by itself with exit code 3. Its last words: giving up now"),
    ],
)
async def test_a_crash_ends_all_requests_and_the_next_one_starts_the_model_anew(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, events: Events, prompt: str, words: str
) -> None:
    runtime, launch = make_runtime(), make_launch()
    model: Any = await runtime.start(launch)
    other = model.complete(CompletionRequest(prompt="endless"))
    await anext(other)
    with pytest.raises(WorkerCrashedError, match=words):
        await ask(runtime, launch, prompt)
    with pytest.raises(WorkerCrashedError, match=words):
        await anext(other)
    status = runtime.status("tiny")
    assert (status.status, status.pid, status.capabilities) == (ModelStatus.FAILED, None, [])
    assert words in str(status.reason)
    with pytest.raises(WorkerCrashedError, match=words):
        await complete(model, "count 1")

    assert await ask(runtime, launch, "count 2") == "0 1 "
    status = runtime.status("tiny")
    assert status.status is ModelStatus.RUNNING
    assert str(status.reason).startswith("restarted after: The worker")
    assert [event.status.value for event in events if isinstance(event, ModelEvent)] == [
        *("starting", "running", "failed", "starting", "running")
    ]


async def test_kill_9_of_a_worker_in_mid_stream(make_runtime: MakeRuntime, make_launch: MakeLaunch) -> None:
    runtime, launch = make_runtime(), make_launch()
    async with runtime.lease(launch) as model:
        stream = model.complete(CompletionRequest(prompt="endless"))  # type: ignore[attr-defined]  # a capability
        assert (await anext(stream)).text == "on "
        pid = runtime.status("tiny").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerCrashedError, match=r"SIGKILL .*out of memory"):
            await anext(stream)
    assert await ask(runtime, launch, "count 1") == "0 "
    await runtime.start(launch, explicit=True)
    assert "SIGKILL" in str(runtime.status("tiny").reason)
    await runtime.stop("tiny")
    assert runtime.status("tiny").reason is None


async def test_the_end_is_seen_while_a_child_of_the_worker_holds_its_pipes(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    runtime, launch = make_runtime(), make_launch()
    model = await runtime.start(launch)
    assert await complete(model, "leave-a-child") == "before after"
    pid = runtime.status("tiny").pid
    assert pid is not None
    children = psutil.Process(pid).children()
    try:
        async with asyncio.timeout(10):
            with pytest.raises(WorkerCrashedError, match="SIGSEGV"):
                await complete(model, "segfault")
    finally:
        for child in children:
            child.kill()


async def test_a_hung_worker_is_ended(make_runtime: MakeRuntime, make_launch: MakeLaunch) -> None:
    runtime, launch = make_runtime(ping_seconds=0.1, hang_seconds=1.0), make_launch()
    with pytest.raises(WorkerCrashedError, match="hung"):
        await ask(runtime, launch, "hang")
    assert runtime.status("tiny").status is ModelStatus.FAILED
    assert "hung" in str(runtime.status("tiny").reason)
    assert await ask(runtime, launch, "count 1") == "0 "


async def test_a_load_may_block_longer_than_a_hung_worker_may(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    runtime = make_runtime(ping_seconds=0.1, hang_seconds=0.3)
    assert await ask(runtime, make_launch(misload="blocks"), "count 1") == "0 "


async def test_a_load_that_blocks_for_ever_is_ended(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    with pytest.raises(ModelLoadError, match="not ready after 1 s"):
        await make_runtime(start_timeout_seconds=1).start(make_launch(misload="blocks forever"))
    assert not own_workers()


async def test_a_process_that_ends_while_it_loads(make_runtime: MakeRuntime, make_launch: MakeLaunch) -> None:
    runtime = make_runtime()
    with pytest.raises(ModelLoadError, match=r"exit code 7\. Its last words: out of luck"):
        await runtime.start(make_launch(misload="exits"))
    with pytest.raises(ModelCoolingDownError):
        await runtime.start(make_launch())


async def test_a_worker_that_crashes_again_and_again_cools_down(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    runtime, launch = make_runtime(), make_launch()
    for _ in range(CRASH_LOOP):
        with pytest.raises(WorkerCrashedError):
            await ask(runtime, launch, "exit")
    with pytest.raises(ModelCoolingDownError, match="exit code 3"):
        await ask(runtime, launch, "count 1")


async def test_a_worker_that_does_not_end_when_told_is_ended(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jan_host.runtime.session._UNLOAD_SECONDS", 0.2)
    monkeypatch.setattr("jan_host.runtime.session._TERMINATE_SECONDS", 0.2)
    runtime, launch = make_runtime(stop_seconds=0), make_launch()
    model: Any = await runtime.start(launch)
    stream = model.complete(CompletionRequest(prompt="hang"))
    await anext(stream)
    pid = runtime.status("tiny").pid
    assert pid is not None
    await runtime.stop("tiny")
    assert not psutil.pid_exists(pid)


HOST = """
import asyncio, sys
from pathlib import Path
from jan_host import CompletionRequest, Model
from jan_host.config import RuntimeConfig
from jan_host.plugins import EngineOrigin
from jan_host.runtime import Launch, Runtime
from tests.core.runtime.engines import ScriptedEngine

async def main():
    runtime = Runtime(config=RuntimeConfig(), publish=lambda event: None)
    origin = EngineOrigin(entry_point="scripted", value="tests.core.runtime.engines", distribution="tests",
                          version="1", data_folder=sys.argv[1])
    launch = Launch(model=Model(id="tiny"), folder=Path(sys.argv[1]), engine=ScriptedEngine(), origin=origin)
    model = await runtime.start(launch)
    stream = model.complete(CompletionRequest(prompt=sys.argv[2]))
    await anext(stream)
    print(runtime.status("tiny").pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("prompt", ["endless", "hang"])
def test_kill_9_of_the_host_leaves_no_process(tmp_path: Path, prompt: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOST, str(tmp_path), prompt], stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        worker = psutil.Process(int(host.stdout.readline()))
        assert worker.ppid() == host.pid
        host.kill()
        worker.wait(timeout=30)


@pytest.mark.parametrize("prompt", ["count 2"])
async def test_uvloop_can_be_the_hosts_loop(tmp_path: Path, prompt: str) -> None:
    code = HOST.replace("asyncio.run(main())", "import uvloop; uvloop.run(main())")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code, str(tmp_path), prompt, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        pid = int(await process.stdout.readline())
    worker = psutil.Process(pid)
    process.kill()
    await process.communicate()
    worker.wait(timeout=30)

"""How models come and go: overrides that stay, ``keep_alive``, the budget of a root, models of the boot."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from jan_host import InsufficientMemoryError, ModelEvent, ModelStatus, ValidationError
from jan_host.config import load_config
from jan_host.host import JanHost

from tests.core.host.conftest import write_model
from tests.core.host.test_host import chat, collect


def pid_of(host: JanHost, model_id: str) -> int:
    pid = host.runtime.status(model_id).pid
    assert pid is not None
    return pid


async def test_overrides_are_told_and_stay_until_the_model_is_stopped(host: JanHost) -> None:
    info = await host.start("poem", {"ctx_len": "64"})
    assert info.overrides == {"ctx_len": "64"}
    happening = host.subscribe()
    os.kill(pid_of(host, "poem"), signal.SIGKILL)
    async for event in happening:
        if isinstance(event, ModelEvent) and event.status is ModelStatus.FAILED:
            break
    await collect(host.chat(chat(max_tokens=1)))  # which starts it again
    assert host.model("poem").overrides == {"ctx_len": "64"}
    assert (await host.stop("poem")).overrides == {}
    await collect(host.chat(chat(max_tokens=1)))
    assert host.model("poem").overrides == {}


async def test_a_start_with_other_overrides_starts_anew_and_without_any_does_not(host: JanHost) -> None:
    await host.start("poem", {"ctx_len": 64})
    first = pid_of(host, "poem")
    assert (await host.start("poem")).overrides == {"ctx_len": 64}
    assert pid_of(host, "poem") == first
    assert (await host.start("poem", {"ctx_len": 32})).overrides == {"ctx_len": 32}
    assert pid_of(host, "poem") != first


@pytest.mark.parametrize("value", ["soon", "10 parsecs", True, [], {}, "1e9", "nan", float("inf")])
async def test_a_keep_alive_that_is_no_duration_is_refused(host: JanHost, value: Any) -> None:
    with pytest.raises(ValidationError, match="keep_alive"):
        await host.start("poem", {"keep_alive": value})
    assert host.model("poem").status == "downloaded"


async def test_a_models_keep_alive_is_the_hosts_and_no_engine_sees_it(root: Path, host: JanHost) -> None:
    write_model(root, "brief", json.dumps({"settings": {"keep_alive": "0s"}}))
    await host.refresh()
    assert host.model("brief").warnings == []
    happening = host.subscribe()
    await collect(host.chat(chat("brief", max_tokens=1)))
    seen = []
    async for event in happening:
        if isinstance(event, ModelEvent):
            seen.append(str(event.status))
            if event.status is ModelStatus.DOWNLOADED:
                break
    assert seen == ["starting", "running", "stopping", "downloaded"]


async def test_a_root_has_a_budget(root: Path) -> None:
    async with JanHost(load_config(root, {}, {"runtime": {"memory_bytes": 10}})) as host:
        with pytest.raises(InsufficientMemoryError, match=r"may take 10 B"):
            await host.start("poem")
        assert host.model("poem").status == "failed"
        assert "memory_bytes" in (host.model("poem").status_reason or "")


async def test_models_of_the_boot_run_before_anybody_asks(root: Path) -> None:
    config = load_config(root, {}, {"runtime": {"start_at_boot": ["missing", "poem"]}})
    async with JanHost(config) as host:
        happening = host.subscribe()
        host.begin()
        async for event in happening:
            if isinstance(event, ModelEvent) and event.status is ModelStatus.RUNNING:
                assert event.model == "poem"
                break

"""Models that are deleted, or whose files go, while somebody uses them or waits for them."""

import asyncio
import shutil
from pathlib import Path

import pytest
from jan_host import ModelEvent, ModelNotFoundError, ModelStatus
from jan_host.config import load_config
from jan_host.host import JanHost

from tests.core.host.conftest import write_model
from tests.core.host.test_host import chat, collect

SECONDS = 30


async def test_who_waits_for_a_model_that_is_deleted_is_told_so(root: Path) -> None:
    async with JanHost(load_config(root, {}, {"runtime": {"stop_seconds": 0.1}})) as host:
        happening = host.subscribe()
        deltas = host.chat(chat(max_tokens=50))
        await anext(deltas)  # which goes on, and the deletion waits for its end
        deleting = asyncio.create_task(host.delete("poem"))
        async with asyncio.timeout(SECONDS):
            async for event in happening:
                if isinstance(event, ModelEvent) and event.status is ModelStatus.STOPPING:
                    break
            with pytest.raises(ModelNotFoundError):
                await collect(host.chat(chat(max_tokens=1)))
            await deltas.aclose()  # type: ignore[attr-defined]  # it is a generator
            await deleting
        assert host.models() == []
        write_model(root, "poem")  # and a new one under the same name is new
        assert await collect(host.chat(chat(max_tokens=1)))


async def test_nobody_who_lists_models_waits_for_one_whose_files_are_gone(root: Path) -> None:
    async with JanHost(load_config(root, {}, {"runtime": {"stop_seconds": 3600}})) as host:
        deltas = host.chat(chat(max_tokens=50))
        await anext(deltas)
        happening = host.subscribe()
        shutil.rmtree(root / "models" / "poem")
        async with asyncio.timeout(SECONDS):
            await host.refresh()
            assert host.models() == []
            await deltas.aclose()  # type: ignore[attr-defined]  # it is a generator
            async for event in happening:
                if isinstance(event, ModelEvent) and event.status is ModelStatus.DOWNLOADED:
                    break

"""What a model needs by its engine's estimate, against what its worker really takes."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from jan_host import CompletionRequest
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.runtime.footprints import WORKER_BYTES

from tests.plugins.llamacpp.hosting import write_chat
from tests.processes import children_with

SECONDS = 240

CASES: list[dict[str, Any]] = [
    {"ctx_len": 512, "n_parallel": 2},
    {"ctx_len": 2048, "n_parallel": 4, "n_ubatch": 128, "cache_type_k": "q8_0", "cache_type_v": "q8_0"},
    {"ctx_len": 8192, "n_parallel": 1, "n_ubatch": 64, "kv_layout": "unified"},
]


def workers() -> set[psutil.Process]:
    """This process's workers."""
    return set(children_with("jan_host.runtime.worker"))


@pytest.mark.parametrize("settings", CASES, ids=lambda each: str(each["ctx_len"]))
@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
async def test_a_worker_takes_what_was_estimated(
    name: str, settings: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_chat(tmp_path, request.getfixturevalue(name), settings=settings)
    size = min(settings.get("n_ubatch", 512), settings["ctx_len"]) - 8
    # As many tokens as are computed at once.
    prompt: list[str | int | list[int]] = [300 + 7 * place % 4000 for place in range(size)]
    async with JanHost(load_config(tmp_path, {})) as host, asyncio.timeout(SECONDS):
        before = workers()
        await host.start("chat")
        [worker] = workers() - before
        entry = host.library.get("chat")
        engine = host.plugins.engine_for_format("gguf")
        assert engine is not None
        reckoned = (
            engine.estimate(entry.model, entry.folder, msgspec.convert(settings, engine.Settings)).ram
            + WORKER_BYTES
        )
        async for _ in host.complete(CompletionRequest(model="chat", prompt=prompt, max_tokens=2)):
            pass
        taken = worker.memory_info().rss
    assert 0.85 * taken < reckoned < 1.15 * taken, f"{reckoned / 1e6:.0f} MB reckoned, {taken / 1e6:.0f}"

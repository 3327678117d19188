"""One loaded model for all tests of this folder that need no settings of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import load


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def model(smollm2: Path) -> AsyncIterator[LlamaCppModel]:
    """SmolLM2 with four sequences of 512 tokens, and room for three waiting requests."""
    loaded = await load(smollm2, n_parallel=4, max_queue=3)
    yield loaded
    await loaded.unload()

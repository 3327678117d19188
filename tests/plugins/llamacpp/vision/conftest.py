"""A tiny model with eyes, loaded once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from jan_host_llamacpp.vision.model import SeeingModel

from tests.plugins.llamacpp.vision.eyes import write_eyes
from tests.plugins.llamacpp.vision.seeing import load


@pytest.fixture(scope="session")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model and its projector."""
    folder = tmp_path_factory.mktemp("eyes")
    write_eyes(folder)
    return folder


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def model(eyes: Path) -> AsyncIterator[SeeingModel]:
    """The model with four sequences of 512 tokens."""
    loaded = await load(eyes)
    assert isinstance(loaded, SeeingModel)
    yield loaded
    await loaded.unload()

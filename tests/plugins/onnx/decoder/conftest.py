"""SmolLM2 in ONNX, loaded once for the tests of this folder that need no settings of their own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from jan_host_onnx.generation.model import DecoderModel

from tests.plugins.onnx.decoder.folders import decoder_folder
from tests.plugins.onnx.decoder.talking import load


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def model() -> AsyncIterator[DecoderModel]:
    """Primitive operators: the KV cache is joined anew at each step."""
    loaded = await load(decoder_folder("plain"), max_queue=3)
    yield loaded
    await loaded.unload()


@pytest_asyncio.fixture(loop_scope="session", scope="session", params=["plain", "gqa"])
async def each(request: pytest.FixtureRequest, model: DecoderModel) -> AsyncIterator[DecoderModel]:
    """`model`, and the same with GroupQueryAttention, whose KV cache is written in place."""
    if request.param == "plain":
        yield model
        return
    loaded = await load(decoder_folder(request.param))
    yield loaded
    await loaded.unload()

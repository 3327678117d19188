"""SmolLM2 in both local engines, and behind a server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import psutil
import pytest
import pytest_asyncio
from jan_host import Chats, LoadedModel

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.plugins.llamacpp.talking import load as load_gguf
from tests.plugins.onnx.decoder.folders import decoder_folder
from tests.plugins.onnx.decoder.talking import load as load_onnx
from tests.processes import children_with

ENGINES = ("llama.cpp", "onnxruntime")


@pytest_asyncio.fixture(loop_scope="session", scope="session", params=ENGINES)
async def model(request: pytest.FixtureRequest, smollm2: Path) -> AsyncIterator[Chats]:
    """Four sequences of 512 tokens."""
    loaded: LoadedModel
    if request.param == "llama.cpp":
        loaded = await load_gguf(smollm2, n_parallel=4)
    else:
        loaded = await load_onnx(decoder_folder("gqa"), n_parallel=4)
    assert isinstance(loaded, Chats)
    yield loaded
    await loaded.unload()
    assert not children_with("trial.py")  # it tried the grammars
    await asyncio.sleep(0)


class Served:
    """A running server, OpenAI's client, and the models by engine."""

    def __init__(self, client: openai.OpenAI, process: psutil.Process) -> None:
        self.client = client
        self.process = process

    def workers(self) -> set[int]:
        """The process ids of the workers."""
        return {child.pid for child in self.process.children()}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Iterator[Served]:
    """A server with a model for each of `ENGINES`, of the engine's name."""
    root = tmp_path_factory.mktemp("structured")
    gguf, onnx = root / "models" / "llama.cpp", root / "models" / "onnxruntime"
    gguf.mkdir(parents=True)
    (onnx / "onnx").mkdir(parents=True)
    (gguf / smollm2.name).hardlink_to(smollm2)
    source = decoder_folder("gqa")
    for path in source.rglob("*.*"):
        if path.is_file():
            (onnx / path.relative_to(source)).hardlink_to(path)
    for folder in (gguf, onnx):
        document = {"settings": {"ctx_len": 512, "n_parallel": 4}}
        (folder / "model.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with (
        serving(command, environment(), root) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120) as client,
    ):
        yield Served(client, psutil.Process(json.loads((root / "server.json").read_text())["pid"]))

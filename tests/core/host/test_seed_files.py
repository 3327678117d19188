"""The seeds' own model.json files, byte for byte: their models are fetched from a hub, and run."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from jan_host import ChatMessage, ChatRequest, ConflictError, DownloadEvent, ModelStatus, PullRequest
from jan_host.config import load_config
from jan_host.host import JanHost

from tests.core.library.parts import SEEDS
from tests.hub import Hub, OnDisk, running_hub
from tests.plugins.llamacpp.vision.eyes import write_clip

ZEPHYR, LLAVA, AZURE = (
    "model-zephyr-7B.json",
    "model-llava-v1.5-ggml.json",
    "model-azure-openai-gpt4-turbo.json",
)
LLAVA_FILES = {"ggml-model-q4_k.gguf", "mmproj-model-f16.gguf", "README.md", "config.json"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, smollm2: Path) -> Iterator[Hub]:
    """The two repositories that the seeds name; what runs in them is SmolLM2."""
    from huggingface_hub import close_session

    projector = write_clip(tmp_path / "projector.gguf", width=576)
    note = tmp_path / "note"
    note.write_text("{}")
    with running_hub() as made:
        made.add(
            "TheBloke/zephyr-7B-beta-GGUF",
            {f"zephyr-7b-beta.{kind}.gguf": OnDisk(smollm2) for kind in ("Q2_K", "Q4_K_M", "Q8_0")},
        )
        made.add(
            "mys/ggml_llava-v1.5-13b",
            {
                "ggml-model-q4_k.gguf": OnDisk(smollm2),
                "mmproj-model-f16.gguf": OnDisk(projector),
                "README.md": OnDisk(note),
                "config.json": OnDisk(note),
            },
        )
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
        close_session()
        yield made
        close_session()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root whose models folder has the seeds' three files, as the seeds lay them out."""
    root = tmp_path / "root"
    for folder, name in (("zephyr", ZEPHYR), ("llava-ggml", LLAVA), ("azure-openai", AZURE)):
        place = root / "models" / folder
        place.mkdir(parents=True)
        shutil.copyfile(SEEDS / name, place / name)
    return root


@pytest.fixture
async def host(root: Path, hub: Hub) -> AsyncIterator[JanHost]:
    async with JanHost(load_config(root, {})) as opened:
        yield opened


async def ask(host: JanHost, model: str) -> str:
    request = ChatRequest(
        model=model,
        messages=[ChatMessage(role="user", content="What is the capital of France?")],
        temperature=0.0,
        max_tokens=8,
    )
    return "".join([delta.text async for delta in host.chat(request)])


async def test_the_seeds_models_can_be_fetched_or_are_remote(host: JanHost) -> None:
    assert {info.id: info.status for info in host.models()} == {
        "model-zephyr-7B": ModelStatus.AVAILABLE,
        "model-llava-v1.5-ggml": ModelStatus.AVAILABLE,
        "openai.azure.com/docs-test-001/gpt4-turbo": ModelStatus.REMOTE,
    }


async def test_zephyr_brings_the_file_that_it_names_and_runs(host: JanHost, root: Path, hub: Hub) -> None:
    plan = await host.plan(PullRequest(origin="model-zephyr-7B"))
    assert (plan.importer, plan.model.id) == ("thebloke", "model-zephyr-7B")
    assert [asset.filename for asset in plan.assets] == ["zephyr-7b-beta.Q2_K.gguf"]
    assert plan.model.settings["ctx_len"] == 2048
    await host.downloads.wait((await host.pull(PullRequest(origin="model-zephyr-7B"))).id)
    folder = root / "models" / "zephyr"
    assert {path.name for path in folder.iterdir()} == {ZEPHYR, "zephyr-7b-beta.Q2_K.gguf"}
    assert (folder / ZEPHYR).read_bytes() == (SEEDS / ZEPHYR).read_bytes()
    assert host.model("model-zephyr-7B").status == ModelStatus.DOWNLOADED
    assert await ask(host, "model-zephyr-7B")


async def test_llava_brings_both_binaries_and_runs(host: JanHost, root: Path) -> None:
    await host.downloads.wait((await host.pull(PullRequest(origin="model-llava-v1.5-ggml"))).id)
    folder = root / "models" / "llava-ggml"
    brought = {path.name for path in folder.iterdir()}
    assert {LLAVA, "ggml-model-q4_k.gguf", "mmproj-model-f16.gguf"} <= brought <= LLAVA_FILES | {LLAVA}
    assert (folder / LLAVA).read_bytes() == (SEEDS / LLAVA).read_bytes()
    info = host.model("model-llava-v1.5-ggml")
    assert (info.status, info.engine) == (ModelStatus.DOWNLOADED, "llama.cpp")
    assert info.sources[0].filename == "ggml-model-q4_k.gguf"
    assert await ask(host, "model-llava-v1.5-ggml")
    assert "vision" in host.model("model-llava-v1.5-ggml").capabilities


async def test_of_azure_there_is_nothing_to_fetch(host: JanHost) -> None:
    with pytest.raises(ConflictError, match="nothing to fetch"):
        await host.plan(PullRequest(origin="openai.azure.com/docs-test-001/gpt4-turbo"))


async def test_a_file_beside_others_gets_a_folder_of_its_own(root: Path, hub: Hub) -> None:
    """Directly in the models folder, the files of one model would lie among those of all."""
    models = root / "models"
    shutil.move(models / "llava-ggml" / LLAVA, models / LLAVA)
    async with JanHost(load_config(root, {})) as host:
        await host.downloads.wait((await host.pull(PullRequest(origin="model-llava-v1.5-ggml"))).id)
        assert not (models / LLAVA).exists()
        folder = models / "model-llava-v1.5-ggml"
        assert (folder / LLAVA).read_bytes() == (SEEDS / LLAVA).read_bytes()
        assert host.model("model-llava-v1.5-ggml").status == ModelStatus.DOWNLOADED


async def test_a_start_says_how_to_fetch_what_is_not_here(host: JanHost) -> None:
    with pytest.raises(ConflictError, match="jan-host pull model-zephyr-7B"):
        await host.start("model-zephyr-7B")


async def test_a_request_fetches_first_where_the_operator_allows(root: Path, hub: Hub) -> None:
    (root / "config.toml").write_text("[downloads]\non_start = true\n")
    async with JanHost(load_config(root, {})) as host:
        events = host.subscribe()
        assert await ask(host, "model-zephyr-7B")
        first = await anext(events)
        while not isinstance(first, DownloadEvent):
            first = await anext(events)
        assert first.download.model == "model-zephyr-7B"
        assert hub.bytes_sent("TheBloke/zephyr-7B-beta-GGUF/zephyr-7b-beta.Q8_0.gguf") == 0


async def test_addresses_in_a_model_json_are_fetched_without_an_importer(
    root: Path, hub: Hub, smollm2: Path
) -> None:
    folder = root / "models" / "own"
    folder.mkdir()
    url = hub.resolve_url("TheBloke/zephyr-7B-beta-GGUF", "zephyr-7b-beta.Q4_K_M.gguf")
    text = f'{{"sources": [{{"filename": "weights/own.gguf", "url": "{url}"}}], "engine": "llama.cpp"}}'
    (folder / "model.json").write_text(text)
    async with JanHost(load_config(root, {})) as host:
        plan = await host.plan(PullRequest(origin="own"))
        assert (plan.importer, plan.size()) == ("https", smollm2.stat().st_size)
        await host.downloads.wait((await host.pull(PullRequest(origin="own"))).id)
        assert (folder / "weights" / "own.gguf").read_bytes() == smollm2.read_bytes()
        assert (folder / "model.json").read_text() == text
        assert host.model("own").status == ModelStatus.DOWNLOADED

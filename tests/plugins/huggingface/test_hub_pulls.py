"""Pulls through a whole host: importer, plan, downloads, library, and a chat with what has come."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    ImportFailedError,
    ModelStatus,
    PullRequest,
)
from jan_host.config import load_config
from jan_host.host import JanHost

from tests.hub import Hub
from tests.plugins.huggingface.samples import COMMUNITY, CORTEX, LLAVA, ZEPHYR, weights

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct-GGUF"
TOKEN = "hf_" + "t" * 34


@pytest.fixture
async def host(hub: Hub, tmp_path: Path) -> AsyncIterator[JanHost]:
    async with JanHost(load_config(tmp_path / "root", {})) as opened:
        yield opened


async def bring(host: JanHost, origin: str, **more: str) -> Path:
    """Pull, and give the model's folder."""
    info = await host.pull(PullRequest(origin=origin, **more))
    await host.downloads.wait(info.id)
    return host.config.models_folder / info.model


def files_in(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.name != "model.json"
    }


def check_secrets(root: Path) -> None:
    """No file below holds the token."""
    for path in root.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


async def test_a_real_model_is_pulled_and_talks(hub: Hub, host: JanHost, smollm2: Path) -> None:
    hub.add(SMOL, {"smollm2-135m-instruct-q4_1.gguf": smollm2, "README.md": "# SmolLM2"})
    plan = await host.plan(PullRequest(origin=SMOL))
    (variant,) = plan.variants
    assert variant.footprint is not None
    # The engine's own estimate, from the file's header: more than the rule of thumb for its size.
    assert variant.footprint.ram > 2 * smollm2.stat().st_size
    assert hub.bytes_sent(f"{SMOL}/smollm2-135m-instruct-q4_1.gguf") < smollm2.stat().st_size / 4
    folder = await bring(host, f"https://huggingface.co/{SMOL}")
    assert files_in(folder)["smollm2-135m-instruct-q4_1.gguf"] == smollm2.stat().st_size
    model = host.model("SmolLM2-135M-Instruct")
    assert (model.status, model.engine) == (ModelStatus.DOWNLOADED, "llama.cpp")
    request = ChatRequest(
        model=model.id,
        messages=[
            ChatMessage(role="system", content="You are a helpful assistant."),
            ChatMessage(role="user", content="What is the capital of France?"),
        ],
        temperature=0,
        max_tokens=12,
    )
    answer = "".join([delta.text async for delta in host.chat(request)])
    assert answer == "The capital of France is Paris."


async def test_a_repository_of_two_binaries(hub: Hub, host: JanHost) -> None:
    folder = await bring(host, LLAVA)
    assert files_in(folder) == {"ggml-model-q4_k.gguf": 7000, "mmproj-model-f16.gguf": 600, "README.md": 7}
    written = json.loads((folder / "model.json").read_text())
    assert [source["filename"] for source in written["sources"]] == [
        "ggml-model-q4_k.gguf",
        "mmproj-model-f16.gguf",
    ]
    assert (written["origin"], written["import_format"]) == (LLAVA, "default")


async def test_one_quantization_of_thebloke(hub: Hub, host: JanHost) -> None:
    folder = await bring(host, ZEPHYR, variant="zephyr-7b-beta.Q2_K.gguf")
    assert files_in(folder) == {"zephyr-7b-beta.Q2_K.gguf": 3_083_000}
    assert hub.bytes_sent(f"{ZEPHYR}/zephyr-7b-beta.Q8_0.gguf") < 7_696_000
    assert json.loads((folder / "model.json").read_text())["import_format"] == "thebloke"


async def test_a_branch_of_cortexso(hub: Hub, host: JanHost) -> None:
    folder = await bring(host, f"{CORTEX}:3b-gguf-q8")
    assert files_in(folder) == {"model.gguf": 300_000}
    assert json.loads((folder / "model.json").read_text())["settings"]["ctx_len"] == 8192


async def test_folders_of_an_onnx_repository_are_kept(hub: Hub, host: JanHost) -> None:
    folder = await bring(host, f"{COMMUNITY}:q4")
    assert {"onnx/model_q4.onnx", "onnx/model_q4.onnx_data", "tokenizer.json"} <= set(files_in(folder))


@pytest.mark.parametrize("where", ["env", "file"])
async def test_a_gated_repository_with_a_token(
    hub: Hub, host: JanHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    hub.add("org/gated", {"w.Q4_0.gguf": weights(5000), "config.json": "{}"}, gated="auto", readers={TOKEN})
    if where == "env":
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    else:
        (tmp_path / "token").write_text(TOKEN)
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    folder = await bring(host, "org/gated")
    assert files_in(folder) == {"w.Q4_0.gguf": 5000, "config.json": 2}
    told = {one.place for one in hub.seen if TOKEN in one.headers.get("authorization", "")}
    assert told == {"hub"}
    assert any(one.place == "cdn" for one in hub.seen)
    check_secrets(host.config.models_folder)
    shown = msgspec.json.encode(
        [host.downloads.list(), await host.plan(PullRequest(origin="org/gated", id="x"))]
    )
    assert TOKEN.encode() not in shown


async def test_and_without_one(hub: Hub, host: JanHost) -> None:
    hub.add("org/gated", {"w.Q4_0.gguf": weights(5000)}, gated="auto", readers={TOKEN})
    with pytest.raises(ImportFailedError, match=r"Accept the model's terms at .*/org/gated"):
        await bring(host, "org/gated")
    assert host.downloads.list() == []
    assert all(one.place == "hub" for one in hub.seen)


async def test_a_file_that_is_not_what_the_hub_promised_never_arrives(hub: Hub, host: JanHost) -> None:
    hub.fault(f"{LLAVA}/ggml-model-q4_k.gguf").claimed_sha256 = "0" * 64
    with pytest.raises(ImportFailedError):
        await bring(host, LLAVA)
    assert "ggml-model-q4_k.gguf" not in files_in(host.config.models_folder / "ggml_llava-v1.5-13b")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("model-zephyr-7B", {"zephyr-7b-beta.Q2_K.gguf"}),
        ("model-llava-v1.5-ggml", {"ggml-model-q4_k.gguf", "mmproj-model-f16.gguf", "README.md"}),
    ],
)
async def test_the_seeds_own_files_are_origins(hub: Hub, host: JanHost, name: str, files: set[str]) -> None:
    seeds = Path(__file__).parents[2] / "core" / "library" / "seeds"
    folder = host.config.models_folder / name
    folder.mkdir(parents=True)
    (folder / "model.json").write_bytes((seeds / f"{name}.json").read_bytes())
    await host.refresh()
    assert [model.status for model in host.models()] == [ModelStatus.AVAILABLE]
    arrived = await bring(host, host.models()[0].id)
    assert set(files_in(arrived)) == files

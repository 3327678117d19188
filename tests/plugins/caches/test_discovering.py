"""Models of other programs are found in their real layouts, and linked without a copy."""

import json
from pathlib import Path

import pytest
from jan_host import ModelInfo, ModelNotFoundError, PullRequest
from jan_host.host import JanHost

from tests.plugins.caches.layouts import (
    hub_repository,
    jan_in_place,
    jan_new,
    jan_old,
    lmstudio,
    ollama_model,
)
from tests.plugins.llamacpp.writing import write_model, write_projector

TAG = ("registry.ollama.ai", "library", "llama3.2", "1b")


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder, with what would tell a change."""
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(folder.rglob("*"))}


async def link_all(host: JanHost) -> dict[str, ModelInfo]:
    """Link everything, and hold that nothing in the programs' folders has changed."""
    before = snapshot(Path.home())
    linked = await host.link(await host.discover())
    assert snapshot(Path.home()) == before
    assert await host.discover() == []
    return {model.id: model for model in linked}


async def test_nothing_is_no_error(host: JanHost) -> None:
    assert await host.discover() == []


async def test_a_repository_in_the_hub_cache(home: Path, host: JanHost, tmp_path: Path) -> None:
    cache = home / ".cache" / "huggingface" / "hub"
    small, large = (write_model(tmp_path / f"{name}.gguf", tokens=n) for name, n in (("a", 4), ("b", 8)))
    files = {"SmolLM2-Q4_1.gguf": small, "SmolLM2-Q8_0.gguf": large}
    where = hub_repository(cache, "bartowski/SmolLM2-135M-Instruct-GGUF", files)
    (where / "gone.gguf").symlink_to("../../blobs/gone")
    models = await link_all(host)
    assert set(models) == {"SmolLM2-Q4_1", "SmolLM2-Q8_0"}
    (source,) = models["SmolLM2-Q4_1"].sources
    assert source.url == (where / "SmolLM2-Q4_1.gguf").as_uri()
    assert models["SmolLM2-Q4_1"].metadata["architecture"] == "llama"


@pytest.mark.parametrize(
    ("variable", "below"), [("HF_HUB_CACHE", ""), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub")]
)
async def test_where_the_hub_cache_is(
    variable: str, below: str, home: Path, host: JanHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(home / "elsewhere"))
    hub_repository(
        home / "elsewhere" / below, "org/tiny-GGUF", {"tiny.gguf": write_model(tmp_path / "t.gguf")}
    )
    assert [found.model.id for found in await host.discover()] == ["tiny"]


async def test_a_graph_takes_the_name_of_its_repository(home: Path, host: JanHost, minilm_int8: Path) -> None:
    from tests.models import minilm_folder

    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
    copies = {}
    for name in names:
        copies[name] = home / name
        copies[name].write_bytes((minilm_folder() / name).read_bytes())
    copies["onnx/model.onnx"] = home / "model.onnx"
    copies["onnx/model.onnx"].write_bytes(minilm_int8.read_bytes())
    hub_repository(home / ".cache/huggingface/hub", "sentence-transformers/all-MiniLM-L6-v2", copies)
    models = await link_all(host)
    assert models["all-MiniLM-L6-v2"].format == "onnx"
    filenames = [source.filename for source in models["all-MiniLM-L6-v2"].sources]
    assert {"onnx/model.onnx", "tokenizer.json"} <= set(filenames)


@pytest.mark.parametrize("place", [".lmstudio", ".cache/lm-studio"])
async def test_lm_studio(place: str, home: Path, host: JanHost) -> None:
    file = lmstudio(home / place)
    (model,) = (await link_all(host)).values()
    assert (model.id, model.sources[0].url) == ("gemma-3-4b-it-Q4_K_M", file.as_uri())
    assert model.settings["mmproj"] == "mmproj-model-f16.gguf"
    assert len(model.sources) == 2


async def test_lm_studios_own_folder_of_models(home: Path, host: JanHost) -> None:
    (home / ".lmstudio-home-pointer").write_text(str(home / "studio"))
    (home / "studio").mkdir()
    lmstudio(home / "disk")
    (home / "studio" / "settings.json").write_text(json.dumps({"downloadsFolder": str(home / "disk/models")}))
    assert [found.importer for found in await host.discover()] == ["lm-studio"]


async def test_ollama(home: Path, host: JanHost, tmp_path: Path) -> None:
    blob = ollama_model(
        home / ".ollama" / "models",
        TAG,
        write_model(tmp_path / "t.gguf"),
        projector=write_projector(tmp_path / "p.gguf").read_bytes(),
        template="{{ .Prompt }}",
        system="You are brief.",
        params=json.dumps({"temperature": 0.3, "num_ctx": 8192, "stop": ["<|eot_id|>"], "num_predict": -1}),
        license="MIT",
    )
    (model,) = (await link_all(host)).values()
    assert model.id == "llama3.2:1b"
    assert (model.sources[0].filename, model.sources[0].url) == ("llama3.2-1b.gguf", blob.as_uri())
    assert model.parameters == {"temperature": 0.3, "stop": ["<|eot_id|>"]}
    assert model.settings["ctx_len"] == 8192
    assert model.settings["system_prompt"] == "You are brief."
    assert model.settings["mmproj"] == model.sources[1].filename == "llama3.2-1b-mmproj.gguf"


async def test_the_names_of_ollama_models(home: Path, host: JanHost, tmp_path: Path) -> None:
    root = home / ".ollama" / "models"
    tags = [
        ("registry.ollama.ai", "library", "mistral", "latest"),
        ("registry.ollama.ai", "someone", "own", "q4"),
        ("hf.co", "bartowski", "Tiny-GGUF", "Q4_K_M"),
    ]
    for number, tag in enumerate(tags):
        ollama_model(root, tag, write_model(tmp_path / "t.gguf", tokens=4 + number))
    models = await link_all(host)
    assert set(models) == {"mistral", "someone/own:q4", "hf.co/bartowski/Tiny-GGUF:Q4_K_M"}
    assert host.model("someone/own:q4").status == "downloaded"


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"layers": 1}', '{"layers": [1, {"digest": 2}]}'])
async def test_a_manifest_that_is_none(manifest: str, home: Path, host: JanHost, tmp_path: Path) -> None:
    root = home / ".ollama" / "models"
    ollama_model(root, TAG, write_model(tmp_path / "t.gguf"))
    (root / "manifests/registry.ollama.ai/library/llama3.2/2b").write_text(manifest)
    assert [found.model.id for found in await host.discover()] == ["llama3.2:1b"]


async def test_a_digest_is_no_path(home: Path, host: JanHost, tmp_path: Path) -> None:
    root = home / ".ollama" / "models"
    ollama_model(root, TAG, write_model(tmp_path / "t.gguf"))
    secret = write_model(home / "secret.gguf")
    layer = {
        "mediaType": "application/vnd.ollama.image.model",
        "digest": f"sha256:../../../../{secret.name}",
    }
    (root / "manifests/registry.ollama.ai/library/llama3.2/1b").write_text(json.dumps({"layers": [layer]}))
    assert await host.discover() == []


async def test_all_generations_of_jan(home: Path, host: JanHost) -> None:
    data = home / ".local" / "share" / "Jan" / "data"
    new, old = jan_new(data), jan_old(home)
    mine = write_model(home / "mine.Q8_0.gguf")
    jan_in_place(data, mine)
    models = await link_all(host)
    urls = {model_id: model.sources[0].url for model_id, model in models.items()}
    assert urls == {
        "Jan-nano-gguf": new.as_uri(),
        "mine.Q8_0": mine.as_uri(),
        "tinyllama-1.1b-chat-v1.0.Q4_K_M": old.as_uri(),
    }


async def test_a_file_that_two_programs_have_is_one_model(home: Path, host: JanHost) -> None:
    file = lmstudio(home / ".lmstudio")
    jan_in_place(home / ".local" / "share" / "Jan" / "data", file)
    assert len(await host.discover()) == 1


async def test_ids_are_unique(home: Path, host: JanHost) -> None:
    for publisher in ("one", "two"):
        folder = home / ".lmstudio" / "models" / publisher / "repo"
        folder.mkdir(parents=True)
        write_model(folder / "same.gguf")
    assert set(await link_all(host)) == {"same", "same-2"}


async def test_deleting_a_link_leaves_the_others_file(home: Path, host: JanHost) -> None:
    file = lmstudio(home / ".lmstudio")
    (model_id,) = await link_all(host)
    await host.delete(model_id)
    assert file.is_file()
    with pytest.raises(ModelNotFoundError):
        host.model(model_id)


async def test_what_the_other_program_removes_is_broken_with_the_reason(home: Path, host: JanHost) -> None:
    file = lmstudio(home / ".lmstudio")
    (model_id,) = await link_all(host)
    file.rename(home / "moved.gguf")
    await host.refresh()
    info = host.model(model_id)
    assert info.status == "broken"
    assert str(file) in (info.status_reason or "")
    (home / "moved.gguf").rename(file)
    await host.refresh()
    assert host.model(model_id).status == "downloaded"


async def test_a_pull_copies(home: Path, host: JanHost, tmp_path: Path) -> None:
    blob = ollama_model(home / ".ollama" / "models", TAG, write_model(tmp_path / "t.gguf"))
    download = await host.pull(PullRequest(origin="ollama:llama3.2:1b"))
    ended = await host.downloads.wait(download.id)
    assert ended.status == "done", ended.error
    (copy,) = (host.config.models_folder / "llama3.2%3A1b").glob("*.gguf")
    assert copy.read_bytes() == blob.read_bytes()

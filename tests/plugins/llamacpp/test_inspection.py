"""What lies in a folder without a model.json."""

from pathlib import Path

import msgspec
import pytest
from jan_host import Model, ModelBrokenError, Source
from jan_host_llamacpp.footprint import estimate
from jan_host_llamacpp.inspection import inspect
from jan_host_llamacpp.settings import Settings

from tests.plugins.llamacpp.writing import write_model, write_projector


def names(models: list[Model]) -> list[list[str]]:
    return [[source.filename for source in model.sources] for model in models]


def write_shards(folder: Path, count: int = 3) -> list[Path]:
    return [
        write_model(folder / f"big-{number:05}-of-{count:05}.gguf", split__count=count)
        for number in range(1, count + 1)
    ]


def test_the_real_model(smollm2: Path) -> None:
    [model] = inspect([smollm2])
    assert model == Model(
        id="SmolLM2-135M-Instruct.Q4_1",
        name="Smollm2 135M 8k Lc100K Mix1 Ep2",
        format="gguf",
        sources=[Source(filename="SmolLM2-135M-Instruct.Q4_1.gguf")],
        metadata={
            "author": "HuggingFaceTB",
            "size": 98_362_432,
            "architecture": "llama",
            "quantization": "Q4_1",
            "parameter_count": 134_515_008,
            "context_length": 8192,
            "license": "apache-2.0",
        },
    )


def test_several_models_and_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    files = [
        write_model(tmp_path / "b.gguf"),
        write_model(tmp_path / "a.GGUF"),
        write_model(tmp_path / "sub" / "c.gguf"),
    ]
    for name in ("README.md", "weights.bin", "config.json", "LICENSE"):
        files.append(tmp_path / name)
        files[-1].write_text("hello")
    assert names(inspect(files)) == [["a.GGUF"], ["b.gguf"], ["sub/c.gguf"]]


@pytest.mark.parametrize("name", ["old.bin", "ggml"])
def test_a_file_that_is_gguf_inside(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path / "old.gguf").rename(tmp_path / name)
    assert names(inspect([path])) == [[name]]


def test_nothing() -> None:
    assert inspect([]) == []


def test_a_text_file_by_that_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_text("These are my notes.")
    with pytest.raises(
        ModelBrokenError, match=r"notes.gguf is not a GGUF file: it begins with 'These are my'"
    ):
        inspect([write_model(tmp_path / "good.gguf"), path])


def test_shards_are_one_model(tmp_path: Path) -> None:
    shards = write_shards(tmp_path)
    [model] = inspect([*reversed(shards), write_model(tmp_path / "other.gguf")])[:1]
    assert model.id == "big"
    assert model.files(tmp_path) == shards
    assert model.metadata["size"] == sum(path.stat().st_size for path in shards)
    assert model.metadata["parameter_count"] == 3 * (4 * 64 + 64 * 64)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_shard_is_named(tmp_path: Path, missing: int) -> None:
    shards = write_shards(tmp_path)
    gone = shards.pop(missing)
    gone.unlink()
    with pytest.raises(ModelBrokenError, match=f"{gone.name} is missing"):
        inspect(shards)


def test_one_shard_asked_about_alone_is_no_model_and_not_broken(tmp_path: Path) -> None:
    for shard in write_shards(tmp_path):
        assert inspect([shard]) == []


def test_a_truncated_shard_is_named(tmp_path: Path) -> None:
    shards = write_shards(tmp_path)
    shards[1].write_bytes(shards[1].read_bytes()[:-100])
    with pytest.raises(ModelBrokenError, match=rf"{shards[1].name} is truncated"):
        inspect(shards)


def test_shards_under_other_names(tmp_path: Path) -> None:
    lone = write_model(tmp_path / "renamed.gguf", split__count=3)
    with pytest.raises(ModelBrokenError, match=r"one of 3 parts.*NAME-00001-of-00003"):
        inspect([lone])
    wrong = write_model(tmp_path / "big-00001-of-00001.gguf", split__count=3)
    with pytest.raises(ModelBrokenError, match="one of 3 parts, and its name says 1"):
        inspect([wrong])


def test_a_projector_belongs_to_the_model_beside_it(tmp_path: Path) -> None:
    files = [write_model(tmp_path / "vision.gguf"), write_projector(tmp_path / "mmproj-F16.gguf")]
    [model] = inspect(files)
    assert model.settings == {"vision_model": True, "mmproj": "mmproj-F16.gguf"}
    assert names([model]) == [["vision.gguf", "mmproj-F16.gguf"]]


def test_a_projector_alone_is_no_model(tmp_path: Path) -> None:
    assert inspect([write_projector(tmp_path / "mmproj.gguf")]) == []


def test_a_projector_finds_its_model_among_others(tmp_path: Path) -> None:
    files = [
        write_model(tmp_path / "blind.gguf", architecture="qwen2", qwen2__embedding_length=128),
        write_model(tmp_path / "seeing.gguf"),
        write_projector(tmp_path / "mmproj.gguf", width=64),
    ]
    settings = {model.id: model.settings for model in inspect(files)}
    assert settings["seeing"] == {"vision_model": True, "mmproj": "mmproj.gguf"}
    assert settings["blind"] == {}


def test_adapters_are_no_models(tmp_path: Path) -> None:
    assert inspect([write_model(tmp_path / "lora.gguf", general__type="adapter")]) == []


@pytest.mark.parametrize("fields", [{"architecture": "bert"}, {"llama__pooling_type": 3}])
def test_models_for_embeddings(tmp_path: Path, fields: dict[str, object]) -> None:
    [model] = inspect([write_model(tmp_path / "vectors.gguf", **fields)])  # type: ignore[arg-type]  # by name
    assert model.settings == {"embedding": True}


def test_tags_and_description(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", general__tags=["chat", "small"], general__description="A model.")
    [model] = inspect([path])
    assert model.metadata["tags"] == ["chat", "small"]
    assert model.description == "A model."


def test_the_footprint_grows_with_context_and_sequences(smollm2: Path) -> None:
    [model] = inspect([smollm2])

    def ram(**given: object) -> int:
        settings = msgspec.convert({"ngl": 0, "n_parallel": 1, "ctx_len": 1024, **given}, Settings)
        footprint = estimate(model, smollm2.parent, settings)
        assert footprint.device == 0
        return footprint.ram

    token, mask, scores = 30 * 3 * 64 * 2 * 2, 512 * 6, 49_152 * (4 + 12)
    assert ram(ctx_len=2048) - ram() == 1024 * (token + mask)
    assert ram(n_parallel=4) - ram() == 3 * (1024 * token + scores)
    assert ram() - ram(cache_type_k="q8_0", cache_type_v="q8_0") == 1024 * (token - token // 2 * 34 // 32)
    assert smollm2.stat().st_size + 1024 * token < ram() < smollm2.stat().st_size * 3


def test_the_footprint_of_what_is_not_there(tmp_path: Path) -> None:
    model = Model(id="m", sources=[Source(filename="m.gguf")], metadata={"size": 1000})
    assert estimate(model, None, Settings()).ram == 1000
    assert estimate(model, tmp_path, Settings()).ram == 1000
    (tmp_path / "m.gguf").write_text("no model")
    assert estimate(model, tmp_path, Settings()).ram == 8

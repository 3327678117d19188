"""Sessions: providers, threads, optimised graphs on disk, and graphs that can't be loaded."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from jan_host import EmbeddingRequest, Embeds, EngineError, ModelLoadError
from jan_host_onnx.providers import choose_providers
from jan_host_onnx.sessions import BRIEFLY, LONGER, open_session, session_options
from jan_host_onnx.settings import OnnxSettings, PlacedSettings

from tests.plugins.onnx.encoders.folders import load, write_small

CPU = "CPUExecutionProvider"


def _names(available: list[str], wanted: list[str] | None = None, device: int = 0) -> list[str]:
    return [name for name, _ in choose_providers(available, wanted, device)]


def test_an_accelerator_comes_before_the_cpu() -> None:
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "AzureExecutionProvider", CPU]
    assert _names(available) == ["CUDAExecutionProvider", CPU]
    assert _names(["CoreMLExecutionProvider", CPU]) == ["CoreMLExecutionProvider", CPU]
    assert _names(["DmlExecutionProvider", CPU]) == ["DmlExecutionProvider", CPU]
    assert _names(["AzureExecutionProvider", CPU]) == [CPU]


def test_providers_can_be_named_short_and_get_their_device() -> None:
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "DmlExecutionProvider", CPU]
    assert choose_providers(available, ["tensorrt", "CUDA"], 1) == [
        ("TensorrtExecutionProvider", {"device_id": "1"}),
        ("CUDAExecutionProvider", {"device_id": "1"}),
        (CPU, {}),
    ]
    assert _names(available, ["DirectML"])[0] == "DmlExecutionProvider"
    assert _names(available, ["cpu"]) == [CPU]


def test_a_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelLoadError, match=r"no provider 'cuda'. It has: CPUExecutionProvider"):
        choose_providers([CPU], ["cuda"], 0)


def test_threads_follow_the_setting() -> None:
    assert session_options(OnnxSettings(cpu_threads=3)).intra_op_num_threads == 3
    assert session_options(OnnxSettings(cpu_threads="auto")).intra_op_num_threads >= 1
    assert session_options(OnnxSettings(cpu_threads=3), callers=2).intra_op_num_threads == 2, "with both"
    assert session_options(OnnxSettings(cpu_threads=1), callers=2).intra_op_num_threads == 1


def test_threads_spin_before_they_sleep_and_not_for_ever() -> None:
    def spins(options: Any) -> str:
        return str(options.get_session_config_entry("session.intra_op.spin_duration_us"))

    assert spins(session_options(OnnxSettings())) == str(BRIEFLY)
    assert spins(session_options(OnnxSettings(), spins=LONGER)) == str(LONGER)


def test_an_optimised_graph_is_kept_and_used_again(tmp_path: Path) -> None:
    small = write_small(tmp_path / "model")
    path, cache = small.folder / "model.onnx", tmp_path / "cache"
    settings = PlacedSettings(cache_folder=str(cache))
    open_session(path, settings)
    (kept,) = cache.rglob("*.onnx")
    written = kept.stat().st_mtime_ns
    open_session(path, settings)
    assert [*cache.rglob("*.onnx")] == [kept]
    assert kept.stat().st_mtime_ns == written, "it is read, not written anew"
    assert sorted(file.name for file in small.folder.iterdir()) == [
        "config.json",
        "model.onnx",
        "tokenizer.json",
    ]

    kept.write_bytes(b"damaged")
    open_session(path, settings)
    assert kept.stat().st_size > 1000, "a damaged one is made anew"

    path.write_bytes(path.read_bytes())
    open_session(path, settings)
    assert len([*cache.rglob("*.onnx")]) == 2, "another file under the same name is another graph"
    open_session(path, PlacedSettings(cache_folder=str(cache), graph_optimization="basic"))
    assert len([*cache.rglob("*.onnx")]) == 3


def test_a_cache_that_can_not_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    small = write_small(tmp_path / "model")
    (tmp_path / "file").write_text("")
    open_session(small.folder / "model.onnx", PlacedSettings(cache_folder=str(tmp_path / "file" / "cache")))
    open_session(
        small.folder / "model.onnx", PlacedSettings(cache_folder=str(tmp_path / "c"), cache_optimized=False)
    )
    assert not (tmp_path / "c").exists()


async def test_weights_beside_the_graph_are_found_with_a_cache_too(tmp_path: Path) -> None:
    small = write_small(tmp_path / "model", external=True)
    for _ in range(2):
        model = await load(small.model, small.folder, cache=tmp_path / "cache")
        assert isinstance(model, Embeds)
        assert len((await model.embed(EmbeddingRequest(input="a dog"))).embeddings[0]) == 32
        await model.unload()


def _changed(path: Path, **fields: int) -> None:
    model = onnx.load(path)
    if "opset" in fields:
        model.opset_import[0].version = fields["opset"]
    if "ir_version" in fields:
        model.ir_version = fields["ir_version"]
    if "operator" in fields:
        model.graph.node[0].op_type = "Gahter"
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"opset": 999}, r"newer operators"),
        ({"ir_version": 99}, r"newer ONNX version"),
        ({"operator": 1}, r"an operator that the installed onnxruntime does not have"),
    ],
    ids=["opset", "ir-version", "operator"],
)
async def test_a_graph_that_the_runtime_can_not_read_says_why(
    tmp_path: Path, fields: dict[str, int], reason: str
) -> None:
    small = write_small(tmp_path)
    _changed(tmp_path / "model.onnx", **fields)
    with pytest.raises(ModelLoadError, match=reason) as caught:
        await load(small.model, tmp_path)
    assert "model.onnx" in caught.value.message
    assert "/onnxruntime" not in caught.value.message


async def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelLoadError, match=r"tokenizer\.json can't be read as a tokenizer"):
        await load(small.model, tmp_path)


async def test_a_missing_tokenizer_is_named_with_its_cure(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelLoadError, match=r"Put the tokenizer\.json of the model that"):
        await load(small.model, tmp_path)


async def test_a_shape_that_does_not_fit_costs_that_request_alone(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model_file = onnx.load(tmp_path / "model.onnx")
    for tensor in model_file.graph.initializer:
        if tensor.name == "embeddings.position_embeddings.weight":
            short = onnx.numpy_helper.to_array(tensor)[:6]
            tensor.CopyFrom(onnx.numpy_helper.from_array(short, "positions"))
    for node in model_file.graph.node:
        names = [name.replace("embeddings.position_embeddings.weight", "positions") for name in node.input]
        node.input[:] = names
    onnx.save(model_file, tmp_path / "model.onnx")
    model = await load(small.model, tmp_path)
    assert isinstance(model, Embeds)
    with pytest.raises(EngineError, match="The model's graph failed on this input"):
        await model.embed(EmbeddingRequest(input="the cat sat on the mat and a dog ran"))
    assert len((await model.embed(EmbeddingRequest(input="a dog"))).embeddings) == 1
    await model.unload()

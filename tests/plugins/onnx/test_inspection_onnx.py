"""What the engine sees in files without a model.json, and how it estimates their need."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from jan_host import ModelBrokenError
from jan_host_onnx.engine import OnnxEngine
from jan_host_onnx.graph import read_graph

from tests.plugins.onnx.decoder.writer import GraphWriter
from tests.plugins.onnx.encoders.folders import model_of, write_small

ENGINE = OnnxEngine()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_plain_folder_is_one_model(tmp_path: Path) -> None:
    write_small(tmp_path / "my-bert")
    (found,) = ENGINE.inspect(_files(tmp_path / "my-bert"))
    assert (found.id, found.name, found.format) == ("my-bert", "my-bert", "onnx")
    assert {source.filename for source in found.sources} == {"model.onnx", "tokenizer.json", "config.json"}
    assert found.sources[0].filename == "model.onnx"
    assert found.metadata["purpose"] == "embedding"
    assert found.metadata["capabilities"] == ["embed", "tokenize"]
    assert found.metadata["context_length"] == 512
    assert found.metadata["dimensions"] == 32
    assert found.metadata["architecture"] == "bert"
    assert found.metadata["size"] == (tmp_path / "my-bert" / "model.onnx").stat().st_size


def test_number_formats_of_one_graph_are_one_model(tmp_path: Path) -> None:
    write_small(tmp_path, graph="onnx/model.onnx")
    for name in ("model_fp16", "model_q4", "model_quantized"):
        (tmp_path / "onnx" / f"{name}.onnx").write_bytes((tmp_path / "onnx/model.onnx").read_bytes())
    (found,) = ENGINE.inspect(_files(tmp_path))
    assert found.sources[0].filename == "onnx/model.onnx"
    assert found.metadata["variants"] == [
        "model.onnx",
        "model_quantized.onnx",
        "model_q4.onnx",
        "model_fp16.onnx",
    ]
    assert found.name == tmp_path.name, "a graph called model is named by its folder"
    (tmp_path / "onnx/model.onnx").unlink()
    (found,) = ENGINE.inspect(_files(tmp_path))
    assert found.sources[0].filename == "onnx/model_quantized.onnx"


def test_graphs_of_other_names_are_models_of_their_own(tmp_path: Path) -> None:
    write_small(tmp_path, graph="small.onnx")
    write_small(tmp_path, graph="large.onnx", head="sentence_embedding")
    assert [model.id for model in ENGINE.inspect(_files(tmp_path))] == ["large", "small"]


def test_a_classifier_is_a_reranker(tmp_path: Path) -> None:
    write_small(tmp_path, classes=1)
    (found,) = ENGINE.inspect(_files(tmp_path))
    assert found.metadata["capabilities"] == ["rerank", "tokenize"]


def test_weights_in_a_file_of_their_own_belong_to_the_model(tmp_path: Path) -> None:
    small = write_small(tmp_path, external=True)
    (found,) = ENGINE.inspect(_files(tmp_path))
    data = tmp_path / "model.onnx_data"
    assert "model.onnx_data" in {source.filename for source in found.sources}
    whole = data.stat().st_size + (tmp_path / "model.onnx").stat().st_size
    assert found.metadata["size"] == whole
    assert ENGINE.estimate(small.model, tmp_path, ENGINE.Settings()).ram > whole
    data.write_bytes(data.read_bytes()[:-100])
    with pytest.raises(ModelBrokenError, match=r"model.onnx_data has \d+ bytes, and model.onnx needs \d+"):
        ENGINE.inspect(_files(tmp_path))
    data.unlink()
    with pytest.raises(ModelBrokenError, match=r"weights in model\.onnx_data, which is missing"):
        ENGINE.inspect(_files(tmp_path))


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../b", "c:\\windows\\x"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    write_small(tmp_path, external=True)
    path = tmp_path / "model.onnx"
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelBrokenError, match="outside its folder"):
        ENGINE.inspect(_files(tmp_path))


def test_a_graph_without_a_tokenizer_says_what_is_missing(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelBrokenError, match=r"no tokenizer.json beside it.* Put the tokenizer.json"):
        ENGINE.inspect(_files(tmp_path))


def test_a_graph_of_something_else_than_text_says_so(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("pixel_values", onnx.TensorProto.FLOAT, ["batch", 3])
    node = onnx.helper.make_node("Relu", ["pixel_values"], ["scores"])
    result = onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", 3])
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [result])), tmp_path / "v.onnx"
    )
    with pytest.raises(ModelBrokenError, match="takes pixel_values, where a model of text takes input_ids"):
        ENGINE.inspect(_files(tmp_path))


def test_a_graph_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    write_small(tmp_path)
    path = tmp_path / "model.onnx"
    whole = path.read_bytes()
    for size in [0, 1, 7, 100, len(whole) // 3, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelBrokenError, match=r"model\.onnx"):
            ENGINE.inspect(_files(tmp_path))


def test_damaged_bytes_never_do_more_than_refuse(tmp_path: Path) -> None:
    from random import Random

    write_small(tmp_path)
    path = tmp_path / "model.onnx"
    whole = path.read_bytes()
    random = Random(5)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(random.randint(1, 30)):
            damaged[random.choice([random.randrange(len(whole)), random.randrange(2000)])] = random.randrange(
                256
            )
        path.write_bytes(damaged)
        try:
            ENGINE.inspect(_files(tmp_path))
        except ModelBrokenError:
            continue


def test_a_pointer_of_git_lfs_is_told(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "model.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ModelBrokenError, match="pointer of Git LFS"):
        ENGINE.inspect(_files(tmp_path))


def test_damaged_configuration_is_named(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelBrokenError, match=r"config\.json is not valid JSON"):
        ENGINE.inspect(_files(tmp_path))


def test_weights_are_stepped_over(tmp_path: Path) -> None:
    write_small(tmp_path)
    graph = read_graph(tmp_path / "model.onnx")
    assert [(value.name, value.type, value.shape) for value in graph.inputs] == [
        (name, "int64", ("batch", "sequence")) for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    (output,) = graph.outputs
    assert (output.name, output.type, output.shape) == (
        "last_hidden_state",
        "float32",
        ("batch", "sequence", 32),
    )
    assert (graph.opset, graph.ir_version, graph.positions) == (18, 9, 512)
    assert "LayerNormalization" in graph.operators


def test_an_estimate_counts_weights_as_they_are_computed_with(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    before = ENGINE.estimate(small.model, tmp_path, ENGINE.Settings()).ram
    graph = onnx.load(tmp_path / "model.onnx")
    eight_bits = np.zeros(10**6, np.int8)
    graph.graph.initializer.append(onnx.numpy_helper.from_array(eight_bits, "stored_in_8_bits"))
    onnx.save(graph, tmp_path / "model.onnx")
    grown = ENGINE.estimate(small.model, tmp_path, ENGINE.Settings()).ram - before
    assert 4.9 * 10**6 < grown < 5.1 * 10**6, "four bytes of each number, and a quarter for room"


def test_an_estimate_counts_the_cache_of_a_decoder(tmp_path: Path) -> None:
    write_small(tmp_path)
    graph = GraphWriter("float32")
    graph.input("input_ids", onnx.TensorProto.INT64, ["batch", "sequence"])
    past = graph.input("past_key_values.0.key", onnx.TensorProto.FLOAT16, ["batch", 2, "past", 4])
    graph.add("Identity", past, to="present.0.key")
    graph.output("logits", onnx.TensorProto.FLOAT, ["batch", "sequence", 9])
    graph.save(tmp_path / "model.onnx")
    (found,) = ENGINE.inspect(_files(tmp_path))
    assert found.metadata["capabilities"] == ["chat", "complete", "tokenize"]
    one, many = (
        ENGINE.estimate(found, tmp_path, ENGINE.Settings(ctx_len=100, n_parallel=count)).ram
        for count in (1, 5)
    )
    assert many - one == 4 * 100 * 2 * 4 * 2 * 3, "running, being made longer, and kept for what follows"


def test_an_estimate_before_the_download_is_by_the_size_that_was_told() -> None:
    model = model_of(["model.onnx"])
    model.metadata["size"] = 10**9
    assert ENGINE.estimate(model, None, ENGINE.Settings()).ram > 10**9


def test_inspection_loads_no_native_code(tmp_path: Path) -> None:
    write_small(tmp_path)
    code = (
        "import sys; from pathlib import Path; from jan_host_onnx.engine import OnnxEngine\n"
        f"files = sorted(Path({str(tmp_path)!r}).rglob('*'))\n"
        "engine = OnnxEngine(); model, = engine.inspect(files)\n"
        f"engine.estimate(model, Path({str(tmp_path)!r}), engine.Settings())\n"
        "print([name for name in ('onnxruntime', 'tokenizers', 'numpy', 'onnx') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == "[]"


def test_a_config_tells_more_than_the_graph(tmp_path: Path) -> None:
    write_small(tmp_path, config={"model_type": "roberta", "max_position_embeddings": 514})
    (found,) = ENGINE.inspect(_files(tmp_path))
    assert found.metadata["context_length"] == 512, "two positions are before the first of a text"
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == found.metadata["architecture"]

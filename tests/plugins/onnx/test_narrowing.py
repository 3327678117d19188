"""Products in 8 bits: what they give, which files get them, and what happens where they can't be used."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from jan_host import EmbeddingRequest, Embeds
from jan_host_onnx.narrowing import BLOCK, narrow, pack
from jan_host_onnx.optimized import Probe
from jan_host_onnx.rounding import keeps_matrices_in_8_bits
from jan_host_onnx.sessions import open_session
from jan_host_onnx.settings import OnnxSettings, PlacedSettings
from onnx import TensorProto, helper, numpy_helper

from tests.plugins.onnx.encoders.folders import load, model_of
from tests.plugins.onnx.encoders.reference import Floats, cosine

TEXTS = [
    "A man is eating food.",
    "Die Katze sitzt auf der Matte, und draußen regnet es.",
    "def f(x): return x ** 2  # a function",
    "Interest rates rose by a quarter of a point. " * 12,
]


@pytest.fixture
def folder(minilm_int8: Path, minilm: Path, tmp_path: Path) -> Path:
    """all-MiniLM-L6-v2 in 8 bits."""
    place = tmp_path / "minilm"
    place.mkdir()
    (place / "model.onnx").symlink_to(minilm_int8)
    (place / "tokenizer.json").symlink_to(minilm / "tokenizer.json")
    return place


async def _vectors(folder: Path, batches: Sequence[list[str]], **options: Any) -> list[list[float]]:
    model = await load(model_of(["model.onnx"]), folder, **options)
    assert isinstance(model, Embeds)
    found = [await model.embed(EmbeddingRequest(input=[*batch])) for batch in batches]
    await model.unload()
    return [vector for result in found for vector in result.embeddings]


def _operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


async def test_a_file_in_8_bits_is_computed_in_8_bits_unless_that_is_set_to_false(
    folder: Path, tmp_path: Path
) -> None:
    exact = await _vectors(folder, [TEXTS], cache=tmp_path / "exact", int8_compute=False)
    (kept,) = (tmp_path / "exact").rglob("*.onnx")
    assert "MatMulNBits" not in _operators(kept)
    plain = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    ids = np.array([[101, 1037, 2158, 102]])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    np.testing.assert_allclose(
        onnxruntime.InferenceSession(str(kept)).run(None, feeds)[0], plain.run(None, feeds)[0], atol=1e-4
    )

    rounded = await _vectors(folder, [TEXTS], cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").rglob("*.onnx")
    assert _operators(kept).count("MatMulNBits") == 36
    cosines = [cosine(*pair) for pair in zip(rounded, exact, strict=True)]
    assert min(cosines) > 0.999
    assert max(cosines) < 0.999999, "the two do not differ"

    again = await _vectors(folder, [TEXTS], cache=tmp_path / "cache")
    assert again == rounded, "the kept graph is another"
    uncached = await _vectors(folder, [TEXTS], cache_optimized=False)
    assert uncached == rounded


async def test_a_vector_does_not_depend_on_its_neighbours(folder: Path, tmp_path: Path) -> None:
    together = await _vectors(folder, [TEXTS * 3], cache=tmp_path / "cache")
    alone = await _vectors(folder, [[text] for text in TEXTS * 3], cache=tmp_path / "cache")
    assert min(cosine(*pair) for pair in zip(together, alone, strict=True)) > 0.99999


async def test_a_damaged_graph_in_8_bits_is_made_anew(folder: Path, tmp_path: Path) -> None:
    before = await _vectors(folder, [TEXTS], cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").rglob("*.onnx")
    kept.write_bytes(kept.read_bytes()[:1_000_000])
    assert await _vectors(folder, [TEXTS], cache=tmp_path / "cache") == before
    assert _operators(kept).count("MatMulNBits") == 36


def _random(*shape: int) -> Floats:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def _write(path: Path, matrix: Floats, nodes: Sequence[onnx.NodeProto], **tensors: Any) -> Path:
    constants = [numpy_helper.from_array(value, name) for name, value in {"w": matrix, **tensors}.items()]
    rows, columns = matrix.shape
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", columns])],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def _product(output: str = "y") -> onnx.NodeProto:
    return helper.make_node("MatMul", ["x", "w"], [output])


def _run(path: Path, x: Floats) -> Floats:
    found: Floats = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})[0]
    return found


@pytest.mark.parametrize(("rows", "columns"), [(BLOCK * 5 + 1, 333), (BLOCK * 4 - 7, 512), (70_000, 1)])
def test_rows_that_fill_no_whole_block(tmp_path: Path, rows: int, columns: int) -> None:
    matrix, x = _random(rows, columns), _random(5, rows)
    matrix[:, 0] *= 100
    matrix[: BLOCK + 3, -1] = 0
    path = _write(tmp_path / "model.onnx", matrix, [_product()])
    assert narrow(path, tmp_path / "narrow.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "narrow.onnx"))
    assert (tmp_path / "narrow.onnx").stat().st_size < path.stat().st_size / 3
    found, expected = _run(tmp_path / "narrow.onnx", x), x @ matrix
    for column in range(columns):
        assert cosine(found[:, column], expected[:, column]) > 0.999, column


def test_weights_that_were_rounded_by_columns_lose_nothing() -> None:
    numbers = np.random.default_rng(0).integers(-127, 128, (200, 300))
    numbers[0] = 127
    scales = _random(1, 300) ** 2 + 0.01
    packed, found = pack((numbers * scales).astype(np.float32))
    back = packed.astype(np.int64).reshape(300, -1)[:, :200].T - 128
    assert (back == numbers).all()
    np.testing.assert_allclose(found, np.broadcast_to(scales.T, found.shape), rtol=1e-5)


def test_a_matrix_with_other_uses_stays_beside_its_copy(tmp_path: Path) -> None:
    matrix, x = _random(300, 300), _random(3, 300)
    nodes = [
        _product("a"),
        helper.make_node("Gemm", ["x", "w"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    path = _write(tmp_path / "model.onnx", matrix, nodes)
    assert narrow(path, tmp_path / "narrow.onnx")
    assert cosine(_run(tmp_path / "narrow.onnx", x).ravel(), (2 * x @ matrix).ravel()) > 0.999


def test_small_and_fed_matrices_are_left_alone(tmp_path: Path) -> None:
    small = _write(tmp_path / "small.onnx", _random(32, 32), [_product()])
    assert not narrow(small, tmp_path / "narrow.onnx")
    fed = onnx.load(_write(tmp_path / "fed.onnx", _random(300, 300), [_product()]))
    fed.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [300, 300]))
    onnx.save(fed, tmp_path / "fed.onnx")
    assert not narrow(tmp_path / "fed.onnx", tmp_path / "narrow.onnx")
    assert not (tmp_path / "narrow.onnx").exists()


def _settings(folder: Path) -> OnnxSettings:
    return PlacedSettings(providers=["cpu"], cache_folder=str(folder))


def _open(path: Path, folder: Path, probe: Probe) -> Floats:
    found: Floats = open_session(path, _settings(folder), 1, probe).run(None, {"x": _random(3, 400)})[0]
    return found


def test_a_graph_that_goes_wrong_in_8_bits_stays_in_32(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _write(tmp_path / "model.onnx", _random(400, 300), [_product()])
    exact = _run(path, _random(3, 400))
    sessions: list[onnxruntime.InferenceSession] = []

    def probe(session: onnxruntime.InferenceSession) -> Floats:
        sessions.append(session)
        found: Floats = session.run(None, {"x": _random(3, 400)})[0]
        return found

    def not_finite(session: onnxruntime.InferenceSession) -> Floats:
        return probe(session) * (1 if session is sessions[0] else np.float32("nan"))

    def slow(session: onnxruntime.InferenceSession) -> Floats:
        found = probe(session)
        end = time.process_time() + (0 if session is sessions[0] else 0.05)
        while time.process_time() < end:
            pass
        return found

    def fails(session: onnxruntime.InferenceSession) -> Floats:
        raise ValueError("this graph takes no such text")

    assert (_open(path, tmp_path / "well", probe) != exact).any()
    for name, wrong, told in (("not finite", not_finite, 1), ("slow", slow, 0), ("fails", fails, 1)):
        sessions[:] = []
        caplog.clear()
        np.testing.assert_array_equal(_open(path, tmp_path / name, wrong), exact)
        assert caplog.text.count("The model computes in 32 bits") == told
        (kept,) = (tmp_path / name).rglob("*.onnx")
        assert "MatMulNBits" not in _operators(kept)


def _file(path: Path, *nodes: onnx.NodeProto, **tensors: Any) -> Path:
    whole = np.random.default_rng(0).integers(-127, 127, (300, 300), np.int8)
    return _write(path, _random(300, 300), nodes, q=whole, s=np.float32(0.1), z=np.int8(0), **tensors)


def test_which_files_keep_their_matrices_in_8_bits(tmp_path: Path) -> None:
    node, path = helper.make_node, tmp_path / "model.onnx"
    product = node("MatMul", ["x", "f"], ["y"])
    dequantize = node("DequantizeLinear", ["q", "s", "z"], ["f"])
    by_hand = [node("Cast", ["q"], ["c"], to=TensorProto.FLOAT), node("Mul", ["c", "s"], ["f"])]
    assert keeps_matrices_in_8_bits(_file(path, dequantize, product))
    assert keeps_matrices_in_8_bits(_file(path, *by_hand, product))
    assert not keeps_matrices_in_8_bits(_file(path, _product())), "floats"
    assert not keeps_matrices_in_8_bits(_file(path, dequantize, node("Add", ["x", "f"], ["b"]), _product()))
    rounds = node("QuantizeLinear", ["x", "s", "z"], ["a"])
    back = node("DequantizeLinear", ["a", "s", "z"], ["x2"])
    multiplied = node("MatMul", ["x2", "f"], ["y"])
    assert not keeps_matrices_in_8_bits(_file(path, rounds, back, dequantize, multiplied)), "it says where"
    integers = [node("MatMulInteger", ["a", "q"], ["i"]), node("Cast", ["i"], ["y"], to=TensorProto.FLOAT)]
    assert not keeps_matrices_in_8_bits(_file(path, rounds, *integers))

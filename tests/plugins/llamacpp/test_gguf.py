"""GGUF headers are read quickly, and nothing in them is believed that the file does not hold."""

import ctypes
import struct
from importlib.util import find_spec
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jan_host import ModelBrokenError
from jan_host_llamacpp.ggml import FILE_TYPES, REMOVED_TYPES, TENSOR_TYPES
from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.header import Array
from jan_host_llamacpp.layers import Kept, kept_by

from tests.plugins.llamacpp.writing import raw, tensor, text, write_model

QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def broken(path: Path) -> str:
    with pytest.raises(ModelBrokenError) as caught:
        read_header(path)
    assert caught.value.message.startswith(path.name)
    return caught.value.message


def test_the_real_model(smollm2: Path) -> None:
    header = read_header(smollm2)
    assert (header.version, header.architecture, header.quantization) == (3, "llama", "Q4_1")
    assert (header.context_length, header.block_count, header.embedding_length) == (8192, 30, 576)
    assert (header.parameters, header.vocabulary_size, len(header.tensors)) == (134_515_008, 49_152, 272)
    assert header.promised == header.size == smollm2.stat().st_size
    assert kept_by(header) == Kept(keys=30 * 3 * 64, values=30 * 3 * 64, state=0)
    assert header.chat_template is not None
    assert "<|im_start|>" in header.chat_template
    assert not header.is_projector
    assert header.is_model
    assert header.metadata["tokenizer.ggml.tokens"] == Array(count=49_152)
    assert header.metadata["general.languages"] == Array(count=1, items=("en",))


def test_the_same_as_the_reference_reader_says(smollm2: Path) -> None:
    header = read_header(smollm2)
    reference = gguf.GGUFReader(smollm2)
    assert header.data_offset == reference.data_offset
    for mine, theirs in zip(header.tensors, reference.tensors, strict=True):
        assert mine.name == theirs.name
        assert mine.shape == tuple(theirs.shape)
        assert mine.kind == theirs.tensor_type.name
        assert mine.size == theirs.n_bytes
        assert header.data_offset + mine.offset == theirs.data_offset
    for key, value in header.metadata.items():
        if not isinstance(value, Array):
            assert reference.fields[key].contents() == value


def test_sizes_are_those_of_the_native_library() -> None:
    spec = find_spec("llama_cpp")
    assert spec is not None
    [folder] = spec.submodule_search_locations or []
    [library] = [*Path(folder, "lib").glob("libggml-base.so")] or [pytest.skip("no such library here")]
    native = ctypes.CDLL(str(library))
    native.ggml_type_size.restype = ctypes.c_size_t
    native.ggml_blck_size.restype = ctypes.c_int64
    native.ggml_type_name.restype = ctypes.c_char_p
    known = {kind for kind in range(64) if kind < 43 and native.ggml_blck_size(kind)}
    assert set(TENSOR_TYPES) == known
    assert set(REMOVED_TYPES) == set(range(43)) - known
    for kind, (name, block, size) in TENSOR_TYPES.items():
        assert native.ggml_type_name(kind).decode().upper() == name
        assert (native.ggml_blck_size(kind), native.ggml_type_size(kind)) == (block, size)


def test_file_types_have_the_names_of_the_reference() -> None:
    reference = {
        int(kind): kind.name.removeprefix("ALL_").removeprefix("MOSTLY_") for kind in gguf.LlamaFileType
    }
    for kind, name in reference.items():
        if name not in ("GUESSED", "MXFP4_MOE"):
            assert FILE_TYPES[kind] == name


def test_every_type_of_value(tmp_path: Path) -> None:
    path = tmp_path / "all.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("u8", 255)
    writer.add_int8("i8", -1)
    writer.add_uint16("u16", 65535)
    writer.add_int16("i16", -1)
    writer.add_uint32("u32", 2**32 - 1)
    writer.add_int32("i32", -1)
    writer.add_uint64("u64", 2**64 - 1)
    writer.add_int64("i64", -1)
    writer.add_float32("f32", 0.5)
    writer.add_float64("f64", 0.1)
    writer.add_bool("yes", True)
    writer.add_string("text", "Zürich")
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("texts", ["a", "ü"])
    writer.add_array("many", list(range(5000)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    metadata = read_header(path).metadata
    assert {key: metadata[key] for key in ("u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64")} == {
        "u8": 255,
        "i8": -1,
        "u16": 65535,
        "i16": -1,
        "u32": 2**32 - 1,
        "i32": -1,
        "u64": 2**64 - 1,
        "i64": -1,
    }
    assert (metadata["f32"], metadata["f64"], metadata["yes"], metadata["text"]) == (0.5, 0.1, True, "Zürich")
    assert metadata["numbers"] == Array(count=3, items=(1, 2, 3))
    assert metadata["texts"] == Array(count=2, items=("a", "ü"))
    assert metadata["many"] == Array(count=5000)


def test_heads_that_differ_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "layers.gguf"
    writer = gguf.GGUFWriter(path, "openelm")
    writer.add_block_count(3)
    writer.add_embedding_length(96)
    writer.add_head_count([12, 12, 16])
    writer.add_head_count_kv([3, 0, 4])
    writer.add_key_length(64)
    writer.add_value_length(32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert kept_by(read_header(path)) == Kept(keys=7 * 64, values=7 * 32, state=0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"GG", "is not a GGUF file: it begins with 'GG'"),
        (b"GGUF", "is truncated: it ends after 4 bytes"),
        (b"Hello, I am no model at all", "is not a GGUF file: it begins with 'Hello, I am '"),
        (b"<!DOCTYPE html><html>404</html>", "it begins with '<!DOCTYPE ht'"),
        (b"\x80\x02\xff\xfe" * 8, "it begins with '80 02 ff fe'"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS"),
        (b"tjgg" + bytes(40), "old format ggjt"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(24), "GGUF version 1, which llama.cpp no longer reads"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(24), "big-endian"),
        (b"GGUF" + struct.pack("<I", 99) + bytes(24), "GGUF version 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "claims to have 9223372036854775808 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40), "claims to have 1099511627776 keys"),
        (raw(keys=struct.pack("<Q", 2**63), key_count=1), "is truncated"),
        (raw(keys=text("k") + struct.pack("<I", 13) + bytes(8), key_count=1), "unknown type 13"),
        (raw(keys=text("k") + struct.pack("<IQ", 8, 2**64 - 1), key_count=1), "is truncated"),
        (raw(keys=text("k") + struct.pack("<IIQ", 9, 4, 2**62), key_count=1), "is truncated"),
        (raw(keys=text("k") + struct.pack("<IIQ", 9, 8, 2**20), key_count=1), "is truncated"),
        (raw(keys=text("k") + struct.pack("<IIQ", 9, 8, 2**50), key_count=1), "the list 'k' has"),
        (
            raw(keys=text("k") + struct.pack("<IIQ", 9, 9, 1) + bytes(99), key_count=1),
            "lists inside the list 'k'",
        ),
        (raw(keys=(text("k") + struct.pack("<IB", 0, 1)) * 2, key_count=2), "the key 'k' twice"),
        (
            raw(keys=text("general.alignment") + struct.pack("<II", 4, 3), key_count=1),
            "alignment is no power of two",
        ),
        (raw(tensors=tensor("t", (1,) * 5, 0, 0), tensor_count=1), "'t' has 5 dimensions"),
        (raw(tensors=tensor("t" * 64, (1,), 0, 0), tensor_count=1), "the name of a tensor is 64 bytes long"),
        (raw(tensors=tensor("t", (1,), 99, 0), tensor_count=1), "unknown format 99"),
        (raw(tensors=tensor("t", (32,), 4, 0), tensor_count=1), "has dropped"),
        (raw(tensors=tensor("t", (33,), 2, 0), tensor_count=1), "can't have the shape (33,)"),
        (raw(tensors=tensor("t", (2**32, 2**32), 0, 0), tensor_count=1), "can't have the shape"),
        (raw(tensors=tensor("t", (2**63, 2**63, 4, 4), 0, 0), tensor_count=1), "can't have the shape"),
        (raw(tensors=tensor("t", (4,), 0, 7), tensor_count=1), "'t' is not aligned"),
        (raw(tensors=tensor("t", (4,), 0, 0) * 2, tensor_count=2) + bytes(64), "the same name"),
        (raw(tensors=tensor("t", (4,), 0, 0), tensor_count=1), "promises 80 bytes, and the file has 57"),
        (
            raw(tensors=tensor("t", (4,), 0, 2**40), tensor_count=1) + bytes(64),
            "is truncated: its header promises",
        ),
        (raw(tensors=tensor("t", (4,), 0, 2**64 - 32), tensor_count=1) + bytes(64), "is truncated"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reason_is_told(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    assert reason in broken(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in broken(tmp_path / "gone.gguf")


def test_truncation_at_any_place_is_found(tmp_path: Path) -> None:
    written = write_model(tmp_path / "whole.gguf", tokens=70)
    whole, header = written.read_bytes(), read_header(written).data_offset
    path = tmp_path / "cut.gguf"
    for size in [*range(1, header, 7), *range(header, len(whole), 1000), len(whole) - 1]:
        path.write_bytes(whole[:size])
        message = broken(path)
        assert "truncated" in message or size < 4


def test_truncation_of_the_real_model_is_found(smollm2: Path, tmp_path: Path) -> None:
    size = smollm2.stat().st_size
    begin = smollm2.read_bytes()[: 3 << 20]
    path = tmp_path / "cut.gguf"
    for cut in (100, 4000, 100_000, 1_000_000, 1_700_000, 2 << 20):
        path.write_bytes(begin[:cut])
        assert f"and the file has {cut}" in broken(path) or "inside its header" in broken(path)
    path.write_bytes(begin)
    with path.open("r+b") as stream:
        stream.truncate(size - 1)
    assert f"promises {size} bytes, and the file has {size - 1}" in broken(path)
    with path.open("r+b") as stream:
        stream.truncate(size)
    assert read_header(path).promised == size


@QUIET
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
def test_damage_is_refused_or_harmless(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(write_model(tmp_path / "model.gguf", tokens=3).read_bytes())
    for place, value in changes:
        data[place % 900] = value
    path = tmp_path / "damaged.gguf"
    path.write_bytes(data)
    try:
        header = read_header(path)
    except ModelBrokenError as error:
        assert error.message.startswith("damaged.gguf ")  # noqa: PT017  # sound files are fine too
    else:
        assert header.promised <= len(data)
        assert kept_by(header).keys >= 0
        assert header.quantization


@QUIET
@given(st.binary(max_size=400))
def test_any_bytes_behind_the_magic(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "noise.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0" + rest)
    try:
        read_header(path)
    except ModelBrokenError as error:
        assert error.message.startswith("noise.gguf ")  # noqa: PT017  # sound files are fine too


@QUIET
@given(st.integers(0, 2**64 - 1), st.sampled_from([0, 4, 8, 9, 12]), st.integers(0, 2**64 - 1))
def test_counts_that_lie(tmp_path: Path, count: int, kind: int, length: int) -> None:
    keys = text("k") + struct.pack("<IIQQ", 9, kind, count, length) + bytes(40)
    path = tmp_path / "lie.gguf"
    path.write_bytes(raw(keys=keys, key_count=1))
    if count > 48:
        broken(path)


def test_a_vocabulary_of_a_quarter_million_crosses_many_windows(tmp_path: Path) -> None:
    count = 262_144
    words = b"".join(text("w" * (index % 23)) for index in range(count))
    keys = text("words") + struct.pack("<IIQ", 9, 8, count) + words
    keys += text("after") + struct.pack("<II", 4, 7)
    path = tmp_path / "large.gguf"
    path.write_bytes(raw(keys=keys, key_count=2))
    assert read_header(path).metadata == {"words": Array(count=count), "after": 7}


def test_strings_longer_than_a_window(tmp_path: Path) -> None:
    keys = text("words") + struct.pack("<IIQ", 9, 8, 100) + text("x" * (3 << 20)) * 2 + text("y") * 98
    keys += text("long") + struct.pack("<I", 8) + text("z" * (2 << 20))
    path = tmp_path / "long.gguf"
    path.write_bytes(raw(keys=keys, key_count=2))
    assert read_header(path).metadata == {"words": Array(count=100), "long": "z" * (2 << 20)}


def test_a_count_of_layers_that_no_model_has_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "tower.gguf", layers=2**32 - 1)
    assert "tower.gguf is damaged: it claims to have 4294967295 layers" in broken(path)
    tall = read_header(write_model(tmp_path / "tall.gguf", layers=512))
    assert kept_by(tall) == Kept(keys=8192, values=8192, state=0)

"""Reading what should be JSON."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host.contract.errors import ModelBrokenError
from jan_host.library.read import MAX_BYTES, parse_object, read_object

from tests.core.library.parts import SEEDS

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | FINITE
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{}", {}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ('{"a": 1 // why\n, "b": 2 # because\n}', {"a": 1, "b": 2}),
        ('{/* why */ "a": 1}', {"a": 1}),
        ("{a: 1, b: 'x'}", {"a": 1, "b": "x"}),
        ('"a": 1,\n"b": {"c": 2}', {"a": 1, "b": {"c": 2}}),
        ('"a": "x"\n"b": "y"', {"a": "x", "b": "y"}),
        ("engine: nitro", {"engine": "nitro"}),
        ("engine: nitro, // why\nversion: 1", {"engine": "nitro", "version": 1}),
        ("engine: nitro # why\r\nversion: true", {"engine": "nitro", "version": True}),
        ('"id": {model_file_name}, # filled in\n"b": 1', {"id": None, "b": 1}),
        ('"url": "x.bin" - \n"b": 1', {"url": "x.bin", "b": 1}),
        ('{"text": "a, b: c, // d"}', {"text": "a, b: c, // d"}),
    ],
)
def test_what_people_write(text: str, value: dict[str, Any]) -> None:
    assert parse_object(text.encode()) == value


@settings(deadline=None)  # a busy machine is no error
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES))
def test_json_is_read_as_json(value: dict[str, Any]) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@settings(deadline=None)  # a busy machine is no error
@given(st.binary(max_size=200) | st.text('{}[]:,"#/*\n a1-', max_size=60).map(str.encode))
def test_anything_else_has_a_reason(data: bytes) -> None:
    with contextlib.suppress(ModelBrokenError):
        assert isinstance(parse_object(data), dict)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"# only a comment", "comments"),
        (b"[1]", "no JSON object"),
        (b"hello", "no JSON object"),
        (b'"hello"', "no JSON object"),
        (b'{"a": 1', "not JSON"),
        (b'{"id": "x", "sources": [{"filename": "x.gguf"', "not JSON"),
        (b'{"a": 1} more', "not JSON"),
        (b"/* open", "not JSON"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'{"a": "\xe4"}', "UTF-8"),
        (b'{"a": 1}\0', "NUL"),
        (b'{"a": 1, "a": 2}', "'a' occurs twice"),
        (b"a: 1\na: 2", "'a' occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b"a: 1e999", "too large"),
        (b'{"a": %s}' % (b"9" * 30), "64 bits"),
        (b'{"a": %s}' % (b"9" * 400), "64 bits"),
        (b'{"a": %s}' % (b"9" * 5000), "not JSON"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"a: [\n" * 10_000, "nested"),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "nested"),
        (b'{"a": "%s"}' % (b"x" * MAX_BYTES), "larger"),
        (b"// much\n" * 20_000 + b"{}", "not JSON"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(ModelBrokenError) as caught:
        parse_object(data)
    assert reason in caught.value.message


@pytest.mark.parametrize("wrap", [False, True], ids=["as printed", "with outer braces"])
@pytest.mark.parametrize("file", sorted(SEEDS.glob("*.json")), ids=lambda file: file.name)
def test_samples_of_the_seeds(file: Path, wrap: bool) -> None:
    data = file.read_bytes()
    raw = parse_object(b"{\n" + data + b"\n}\n" if wrap else data)
    assert raw["created"] in (1686935002, 1231231)
    assert raw["metadata"] in ({"engine": "llamacpp"}, {"engine": "api"}, {})


def test_sample_of_engine_parameters_is_read_whole() -> None:
    assert read_object(SEEDS / "zephyr-7b.json") == {
        "id": "zephyr-7b",
        "object": "model",
        "sources": [{"filename": "zephyr-7b-beta.Q4_K_M.gguf", "url": ""}],
        "name": "Zephyr 7B",
        "owned_by": "you",
        "version": "1",
        "created": 1231231,
        "description": None,
        "format": "ggufv3",
        "engine": "nitro",
        "engine_parameters": {"ctx_len": 4096, "ngl": 100, "embedding": True, "n_parallel": 4},
        "model_parameters": {
            "stream": True,
            "max_tokens": 4096,
            "stop": ["<endofstring>"],
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "temperature": 0.7,
            "top_p": 0.95,
        },
        "metadata": {},
        "assets": [],
    }


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelBrokenError, match=r"model\.json can't be read"):
        read_object(tmp_path / "model.json")

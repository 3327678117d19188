"""Which files of a wheel are models, and which belong to them."""

import pytest
from jan_host_pypi.candidates import find_candidates


def found(*paths: str) -> dict[str, list[str]]:
    """The filenames of each candidate, by its path."""
    return {one.path: one.filenames for one in find_candidates(dict.fromkeys(paths, 10))}


def test_a_model_file_between_code() -> None:
    assert found("pkg/__init__.py", "pkg/data/A.Q4.gguf", "pkg-1.dist-info/RECORD") == {
        "pkg/data/A.Q4.gguf": ["A.Q4.gguf"]
    }


def test_shards_are_one_model_and_the_first_is_loaded() -> None:
    shards = [f"pkg/big-{number:05}-of-00003.gguf" for number in (3, 1, 2)]
    assert found(*shards) == {
        "pkg/big-00001-of-00003.gguf": [f"big-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    }


def test_an_incomplete_set_of_shards_is_no_model() -> None:
    assert found("pkg/big-00001-of-00002.gguf") == {}
    assert found("pkg/big-00002-of-00002.gguf") == {}


def test_projectors_go_along_and_are_no_models() -> None:
    assert found("pkg/eye.gguf", "pkg/mmproj-eye.gguf", "other/mmproj-x.gguf") == {
        "pkg/eye.gguf": ["eye.gguf", "mmproj-eye.gguf"]
    }


def test_onnx_takes_the_packages_data_along() -> None:
    paths = [
        "pkg/__init__.py",
        "pkg/onnx/model.onnx",
        "pkg/onnx/model.onnx_data",
        "pkg/onnx/model_int8.onnx",
        "pkg/tokenizer.json",
        "pkg/x.gguf",
        "elsewhere/config.json",
    ]
    assert found(*paths) == {
        "pkg/onnx/model.onnx": ["onnx/model.onnx", "onnx/model.onnx_data", "tokenizer.json"],
        "pkg/onnx/model_int8.onnx": ["onnx/model_int8.onnx", "tokenizer.json"],
        "pkg/x.gguf": ["x.gguf"],
    }


def test_files_at_the_top_of_a_wheel() -> None:
    assert found("a.gguf", "b.onnx") == {"a.gguf": ["a.gguf"], "b.onnx": ["b.onnx"]}


@pytest.mark.parametrize("path", ["../evil.gguf", "/evil.gguf", "a/../../evil.onnx", "", "/"])
def test_paths_that_lead_elsewhere_are_nothing(path: str) -> None:
    assert found(path) == {}

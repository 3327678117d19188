"""Which files of a wheel are models, which belong to them, and which is taken."""

import pytest
from jan_host import EngineNotInstalledError, Footprint, ImportOptions, Model, OriginNotFoundError
from jan_host_pypi.candidates import Candidate, find_candidates
from jan_host_pypi.choosing import Choice, choose


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


def choices(**sizes: int) -> list[Choice]:
    made = []
    for stem, size in sizes.items():
        path = f"pkg/{stem}.gguf"
        candidate = Candidate(stem=stem, format="gguf", members=(path,), base="pkg", size=size)
        made.append(Choice(candidate, Model(id=stem, metadata={"size": size}), f"{stem}.gguf"))
    return made


@pytest.mark.parametrize("wanted", ["b.gguf", "B", "pkg/b.gguf"])
def test_a_model_is_named_by_file_stem_or_path(wanted: str) -> None:
    assert choose(choices(a=1, b=2), wanted, ImportOptions()).choice.name == "b.gguf"


def test_a_name_that_is_not_there_says_what_is() -> None:
    with pytest.raises(OriginNotFoundError, match=r"no model 'c'\. It has: a\.gguf, b\.gguf"):
        choose(choices(a=1, b=2), "c", ImportOptions())


def test_a_name_that_could_be_several() -> None:
    with pytest.raises(OriginNotFoundError, match="could be several"):
        choose([*choices(a=1), *choices(A=2)], "a", ImportOptions())


def test_the_largest_that_fits_is_recommended() -> None:
    chosen = choose(choices(a=10, b=20, c=30), None, ImportOptions(memory=25))
    assert chosen.choice.name == "b.gguf"
    assert chosen.reason == "The largest of several that fits into this machine's memory."
    assert [variant.fits for variant in chosen.variants] == [True, True, False]


def test_an_engines_own_reckoning_counts() -> None:
    def estimate(model: Model) -> Footprint:
        return Footprint(ram=int(model.metadata["size"]) * 2)

    chosen = choose(choices(a=10, b=20, c=30), None, ImportOptions(memory=25, estimate=estimate))
    assert chosen.choice.name == "a.gguf"
    assert chosen.variants[0].footprint == Footprint(ram=20)


def test_without_an_engine_the_size_counts() -> None:
    def estimate(model: Model) -> Footprint:
        raise EngineNotInstalledError("none")

    assert (
        choose(choices(a=10, b=20), None, ImportOptions(memory=25, estimate=estimate)).choice.name == "b.gguf"
    )


def test_nothing_fits() -> None:
    chosen = choose(choices(a=10, b=20), None, ImportOptions(memory=5))
    assert chosen.choice.name == "a.gguf"
    assert chosen.warnings == ("None of the models in this package fits into this machine's memory.",)


def test_unknown_memory_takes_the_smallest() -> None:
    assert choose(choices(a=20, b=10), None, ImportOptions()).choice.name == "b.gguf"

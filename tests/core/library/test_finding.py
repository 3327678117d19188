"""What the library finds in folders, good and bad."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from jan_host import Model, ModelBrokenError, ModelNotFoundError, Source

from tests.core.library.parts import MAGIC, SEEDS, House, Native, Raising, TinyEngine


def test_no_folder_is_no_models(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.models.rmdir()
    assert house.library.refresh() == set()
    assert house.library.entries() == []
    with pytest.raises(ModelNotFoundError, match="jan-host models"):
        house.library.get("x")


def test_a_model_with_its_json(house: House) -> None:
    house.put("zephyr/x.gguf")
    file = house.put("zephyr/model.json", {"sources": [{"filename": "x.gguf"}], "settings": {"ctx_len": 8}})
    os.utime(file, (1_600_000_000, 1_600_000_000))
    entry = house.only()
    assert entry.model == Model(
        id="zephyr",
        name="zephyr",
        created=1_600_000_000,
        format="gguf",
        engine="llama.cpp",
        sources=[Source(filename="x.gguf")],
        settings={"ctx_len": 8},
    )
    assert (entry.folder, entry.file, entry.problem, entry.owned) == (file.parent, file, None, True)
    assert house.library.get("zephyr") == house.library.get("/zephyr") == entry


def test_a_folder_without_a_json(house: House) -> None:
    file = house.put("tiny model/weights.gguf", MAGIC + b"1234")
    house.put("tiny model/README.md", "words")
    os.utime(file, (1_600_000_000, 1_600_000_000))
    entry = house.only()
    assert entry.model == Model(
        id="tiny model",
        name="tiny model",
        created=1_600_000_000,
        format="gguf",
        engine="llama.cpp",
        sources=[Source(filename="weights.gguf")],
        parameters={"max_tokens": 8},
        metadata={"architecture": "tiny"},
    )
    assert (entry.file, entry.problem) == (None, None)


def test_a_json_of_another_name_counts_by_what_only_a_model_has(house: House) -> None:
    house.put("tuned/weights.gguf", MAGIC + b"1234")
    house.put("tuned/tuned-q5.json", {"parameters": {"init": {"ctx_len": "512"}}})
    assert house.only().model.id == "tuned-q5"
    assert house.only().model.settings == {"ctx_len": 512}


def test_several_models_in_a_folder_without_a_json(house: House) -> None:
    house.put("both/one.gguf")
    house.put("both/two.gguf")
    assert {name: e.model.sources[0].filename for name, e in house.look().items()} == {
        "one": "one.gguf",
        "two": "two.gguf",
    }


def test_bare_files_in_the_models_folder(house: House) -> None:
    house.put("one.gguf")
    house.put("two.gguf")
    house.put("notes.txt", "words")
    assert {name: entry.folder for name, entry in house.look().items()} == {
        "one": house.models,
        "two": house.models,
    }


def test_several_json_files_in_one_folder(house: House) -> None:
    house.put("llama2/Q2.json", {"sources": ["Q2.gguf"], "name": "Small"})
    house.put("llama2/Q3.json", {"id": "third", "sources": ["Q3.gguf"]})
    house.put("llama2/Q4.json", {"engine": "nitro"})
    house.put("llama2/config.json", {"architectures": ["Tiny"], "model_type": "tiny"})
    house.put("llama2/tokenizer.json", b"{" + b" " * 2_000_000 + b"}")
    house.put("llama2/broken-tokenizer.json", b"{")
    for name in ("Q2", "Q3", "Q4"):
        house.put(f"llama2/{name}.gguf")
    found = house.look()
    assert {name: (e.model.name, e.model.sources[0].filename, e.problem) for name, e in found.items()} == {
        "Q2": ("Small", "Q2.gguf", None),
        "third": ("Q3", "Q3.gguf", None),
        "Q4": ("Q4", "Q4.gguf", None),
    }


def test_a_json_beside_one_binary_means_that_binary(house: House) -> None:
    house.put(
        "llama-70b-finetune/llama-70b-finetune-q5.json", {"engine": "nitro", "parameters": {"max_tokens": 9}}
    )
    house.put("llama-70b-finetune/weights.bin")
    entry = house.only()
    assert entry.model.id == "llama-70b-finetune-q5"
    assert entry.model.sources == [Source(filename="weights.bin")]
    assert entry.model.metadata == {"architecture": "tiny"}
    assert entry.model.parameters == {"max_tokens": 9}


def test_the_seeds_samples_in_their_folders(house: House) -> None:
    for sample in SEEDS.glob("*.json"):
        house.put(f"{sample.stem}/{sample.name}", sample.read_bytes())
    house.put("zephyr-7b/zephyr-7b-beta.Q4_K_M.gguf")
    assert {name: (entry.problem, entry.available) for name, entry in house.look().items()} == {
        "zephyr-7b": (None, False),
        "openai.azure.com/docs-test-001/gpt4-turbo": (None, False),
        "model-zephyr-7B": (None, True),
        "model-llava-v1.5-ggml": (None, True),
    }


URL = "https://h.org/x.gguf"


@pytest.mark.parametrize(
    "raw",
    [
        {"sources": [{"url": URL}]},
        {"sources": ["x.gguf"], "origin": "hub/x"},
        {"origin": "hub/x", "import_format": "thebloke"},
        {"origin": "hub/x", "engine": "nitro"},
        {"sources": [{"filename": "there.gguf"}, {"filename": "away.gguf", "url": URL}]},
    ],
)
def test_a_model_that_can_be_fetched_is_available(house: House, raw: dict[str, object]) -> None:
    house.put("m/model.json", raw)
    if "there.gguf" in str(raw):
        house.put("m/there.gguf")
    entry = house.only()
    assert (entry.problem, entry.available, entry.usable) == (None, True, False)
    assert ["away.gguf" in warning and "jan-host pull m" in warning for warning in entry.warnings] == [
        True
    ] * ("there.gguf" in str(raw))
    for source in entry.model.sources:
        house.put(f"m/{source.filename}")
    house.put("m/x.gguf")
    entry = house.only()
    assert (entry.available, entry.usable, entry.warnings) == (False, True, [])


@pytest.mark.parametrize(
    "raw",
    [
        {"sources": [{"filename": "a.gguf"}, {"filename": "b.gguf", "url": URL}]},
        {"sources": [{"filename": "a.gguf", "url": "file:///not/there.gguf"}], "origin": "file:x"},
        {"format": "unheard-of", "origin": "hub/x"},
    ],
)
def test_what_nobody_could_fetch_is_broken(house: House, raw: dict[str, object]) -> None:
    house.put("m/model.json", raw)
    assert not house.only().available
    assert house.only().problem


def test_a_model_of_an_engine_in_the_host_is_never_available(house: House) -> None:
    house.put("gpt/model.json", {"engine": "openai", "origin": "https://api.openai.com", "sources": [URL]})
    assert house.only().usable


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"sources": ["x.gguf"]}, "The file x.gguf is missing from"),
        ({"sources": ["../x.gguf"], "engine": "nitro"}, "leads out of"),
        ({"sources": ["/etc/passwd"], "engine": "nitro"}, "leads out of"),
        ({"sources": ["."], "engine": "nitro"}, "leads out of"),
        ({"sources": ["x" * 5000 + ".gguf"]}, "missing"),
        ({"engine": "nitro"}, "names no files"),
        ({"format": "strange"}, "No installed engine runs the format 'strange'"),
        ({}, "names no engine"),
        ({"id": 1.5, "sources": 3}, "sources[0]"),
    ],
)
def test_a_model_that_can_not_run_says_why(house: House, raw: dict[str, object], reason: str) -> None:
    house.put("m/model.json", raw)
    entry = house.only()
    assert entry.problem is not None
    assert reason in entry.problem


def test_remote_models_need_no_files(house: House) -> None:
    house.put("gpt/model.json", {"engine": "openai", "sources": [{"url": "https://openai.com"}]})
    assert house.only().problem is None


def test_an_engine_that_is_not_installed_is_no_matter_of_files(house: House) -> None:
    house.put("m/model.json", {"engine": "other", "sources": ["x"]})
    assert house.only().problem is None


def test_broken_ones_hide_no_other(house: House) -> None:
    house.put("good/x.gguf")
    house.put("cut/model.json", '{"id": "cut", "sources": [')
    house.put("list/model.json", "[]")
    house.put("text/words.gguf", "no magic")
    house.put("mixed/good-too.gguf")
    house.put("mixed/bad.gguf", "no magic")
    house.put("unknown/weights.xyz", "?")
    house.put("bare.gguf", "no magic")
    house.put("bare-good.gguf")
    house.put("marked/not-model.json", '{"engine": "nitro", [')
    problems = {name: entry.problem or "" for name, entry in house.look().items()}
    assert {name for name, problem in problems.items() if not problem} == {"good", "good-too", "bare-good"}
    assert "model.json can't be read: it is not JSON" in problems["cut"]
    assert "no JSON object" in problems["list"]
    assert "words.gguf does not begin" in problems["text"]
    assert "bad.gguf does not begin" in problems["bad"]
    assert "No installed engine knows the files of this folder (weights.xyz)" in problems["unknown"]
    assert "bare.gguf does not begin" in problems["bare"]
    assert "not JSON" in problems["not-model"]


def test_an_engine_with_a_mistake_is_contained(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = House(tmp_path, Raising(), Native())
    house.put("seen/x.gguf")
    house.put("seen/README.md", "words")
    house.put("unseen/weights", "words")
    house.put("unseen/README.md", "words")
    house.put("bare.xyz")
    house.put("notes.txt", "words")
    found = house.look()
    assert set(found) == {"seen", "unseen", "bare"}
    assert found["seen"].problem is None
    for name in ("unseen", "bare"):
        assert "The engine raising failed" in (found[name].problem or "")
    assert len(caplog.messages) == 3
    assert "Traceback" not in caplog.text


class Liar(TinyEngine):
    name = "liar"

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        return [Model(id="x", sources=[Source(filename="not-there")])]


class Confused(TinyEngine):
    name = "confused"

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        return 3  # type: ignore[return-value]  # the mistake that is tested


@pytest.mark.parametrize("engine", [Liar(), Confused()], ids=lambda engine: str(engine.name))
def test_a_strange_answer_of_an_engine_is_contained(tmp_path: Path, engine: TinyEngine) -> None:
    house = House(tmp_path, engine)
    house.put("m/x.gguf")
    assert engine.name in (house.only().problem or "")


class Split(Native):
    """Its models are of two pieces, and the first alone is refused."""

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        firsts = [file for file in super().inspect(files) if file.id.endswith("1-of-2")]
        names = {file.name for file in files}
        for model in firsts:
            second = f"{model.id.removesuffix('1-of-2')}2-of-2.gguf"
            if second not in names:
                raise ModelBrokenError(f"{second} is missing")
        return firsts


def test_a_bad_file_does_not_part_the_pieces_of_a_model(tmp_path: Path) -> None:
    house = House(tmp_path, Split())
    for name in ("a-1-of-2", "a-2-of-2", "b-1-of-2"):
        house.put(f"{name}.gguf")
    house.put("bad.gguf", "no magic")
    assert {name: bool(entry.problem) for name, entry in house.look().items()} == {
        "a-1-of-2": False,
        "b-1-of-2": True,
        "bad": True,
    }


def test_the_first_engine_has_a_file_that_two_know(tmp_path: Path) -> None:
    class Second(Native):
        name = "second"

    house = House(tmp_path, Native(), Second())
    house.put("m/x.gguf")
    assert house.only().model.engine == "llama.cpp"


def test_an_id_that_is_taken(house: House) -> None:
    for folder in ("a", "b", "c"):
        house.put(f"{folder}/x.gguf")
        house.put(f"{folder}/model.json", {"id": "same", "sources": ["x.gguf"]})
    found = house.look()
    assert {name: entry.folder.name for name, entry in found.items()} == {
        "same": "a",
        "same~2": "b",
        "same~3": "c",
    }
    assert found["same"].problem is None
    assert str(house.models / "a" / "model.json") in (found["same~2"].problem or "")
    assert str(house.models / "b" / "model.json") in (found["same~2"].problem or "")


def test_a_broken_model_takes_no_id_from_a_good_one(house: House) -> None:
    house.put("a/model.json", {"id": "same", "sources": ["x.gguf"]})
    house.put("b/model.json", {"id": "same", "engine": "openai"})
    found = house.look()
    assert (found["same"].folder.name, found["same"].problem) == ("b", None)
    assert "x.gguf is missing" in (found["same~2"].problem or "")


def test_hidden_things_are_not_seen(house: House) -> None:
    house.put(".partial/x.gguf")
    house.put(".x.gguf")
    house.put("m/.x.gguf")
    assert house.look() == {}


def test_nested_folders(house: House) -> None:
    house.put("hub/org/one/model.json", {"sources": ["onnx/x.gguf"]})
    house.put("hub/org/one/onnx/x.gguf")
    house.put("hub/org/README.md", "words")
    house.put("hub/org/two/deep/x.gguf")
    house.put("hub/org/two/README.md")
    found = house.look()
    assert {name: entry.problem for name, entry in found.items()} == {"one": None, "two": None}
    assert found["two"].model.sources == [Source(filename="deep/x.gguf")]
    house.put("1/2/3/4/5/6/7/8/9/10/x.gguf")
    assert "folders deep" in (house.look()["10" if "10" in house.look() else "9"].problem or "")


def test_bad_file_below_a_folder(house: House) -> None:
    house.put("m/README.md", "words")
    house.put("m/deep/good.gguf")
    house.put("m/deep/bad.gguf", "no magic")
    found = house.look()
    assert found["good"].model.sources == [Source(filename="deep/good.gguf")]
    assert "bad.gguf" in (found["bad"].problem or "")


def test_links(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "x.gguf").write_bytes(MAGIC)
    (house.models / "linked").symlink_to(outside)
    (outside / "deep" / "loop").symlink_to(outside)
    (house.models / "again").symlink_to(house.models)
    (house.models / "dangling").symlink_to(tmp_path / "nothing")
    (house.models / "self").symlink_to(house.models / "self")
    house.put("real/x.gguf")
    (house.models / "a-link-that-sorts-first").symlink_to(house.models / "real")
    found = house.look()
    assert {name: entry.owned for name, entry in found.items()} == {
        "linked": False,
        "real": True,
        "dangling": False,
        "self": False,
    }
    assert "leads nowhere" in (found["dangling"].problem or "")
    assert "leads nowhere" in (found["self"].problem or "")


def test_pipes_and_names_that_are_no_text(house: House) -> None:
    house.put("good/x.gguf")
    (house.models / "pipe").mkdir()
    os.mkfifo(house.models / "pipe" / "model.json")
    os.mkdir(os.fsencode(house.models / "strange") + b"\xff")
    house.put("m/x.gguf")
    os.rename(house.models / "m" / "x.gguf", os.fsencode(house.models / "m") + b"/\xff.gguf")
    found = house.look()
    assert set(found) == {"good", "strange\ufffd", "\ufffd.gguf"}
    for name in ("strange\ufffd", "\ufffd.gguf"):
        assert "not text in UTF-8" in (found[name].problem or "")
        house.library.delete(name)
    assert set(house.look()) == {"good"}


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder in which the access rights of files count, also when root runs the tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(before)
        for path in folder.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


def test_what_can_not_be_read(as_nobody: Path) -> None:
    house = House(as_nobody)
    house.put("good/x.gguf")
    house.put("closed/x.gguf").parent.chmod(0)
    house.put("file/model.json", {}).chmod(0)
    house.put("weights/x.gguf").chmod(0)
    problems = {name: entry.problem or "" for name, entry in house.look().items()}
    assert problems["good"] == ""
    assert "Permission denied" in problems["closed"]
    assert "Permission denied" in problems["file"]
    assert "Permission denied" in problems["weights"] or "PermissionError" in problems["weights"]


def test_other_folders_are_used_in_place(tmp_path: Path) -> None:
    other, single = tmp_path / "other", tmp_path / "single"
    house = House(tmp_path, folders=[other, single, tmp_path / "absent", tmp_path / "models"])
    for folder in (other, other / "sub", other / "words", single):
        folder.mkdir()
    (other / "bare.gguf").write_bytes(MAGIC)
    (other / "sub" / "x.gguf").write_bytes(MAGIC)
    (other / "words" / "notes.txt").write_text("no model, and nothing to complain of in a foreign folder")
    (single / "model.json").write_text('{"sources": ["x.gguf"]}')
    (single / "x.gguf").write_bytes(MAGIC)
    house.put("own/x.gguf")
    found = house.look()
    assert {name: (entry.owned, entry.problem) for name, entry in found.items()} == {
        "bare": (False, None),
        "sub": (False, None),
        "single": (False, None),
        "own": (True, None),
    }


def test_a_model_json_at_the_top_hides_no_folder(house: House) -> None:
    house.put("model.json", {"sources": ["x.gguf"]})
    house.put("x.gguf")
    house.put("m/y.gguf")
    assert set(house.look()) == {"models", "m"}


def test_refresh_tells_what_changed(house: House) -> None:
    assert house.library.refresh() == set()
    house.put("a/x.gguf")
    file = house.put("b/model.json", {"engine": "openai"})
    assert house.library.refresh() == {"a", "b"}
    assert house.library.refresh() == set()
    file.write_text('{"engine": "openai", "name": "B"}')
    assert house.library.refresh() == {"b"}
    assert house.library.get("b").model.name == "B"
    shutil.rmtree(file.parent)
    assert house.library.refresh() == {"b"}


def test_a_linked_file_is_watched_too(house: House, tmp_path: Path) -> None:
    weights = tmp_path / "100%41 ü.gguf"
    house.put("m/model.json", {"sources": [{"filename": "w.gguf", "url": weights.as_uri()}]})
    assert "missing" in (house.only().problem or "")
    weights.write_bytes(MAGIC)
    assert house.only().problem is None


def test_files_are_not_inspected_again(tmp_path: Path) -> None:
    engine = Native()
    house = House(tmp_path, engine)
    house.put("a/x.gguf")
    house.put("b/y.gguf")
    house.look()
    engine.asked.clear()
    house.put("b/y.gguf", MAGIC + b"more")
    house.look()
    assert engine.asked == [["y.gguf"]]


def test_engine_defaults(house: House) -> None:
    folder = house.models.parent / "engines"
    assert house.library.engine_defaults("llama.cpp") == {}
    (folder / "llama.cpp").mkdir(parents=True)
    file = folder / "llama.cpp" / "engine.json"
    file.write_text('{"ctx_len": 2048, // why\n "ngl": "",}')
    assert house.library.engine_defaults("llama.cpp") == {"ctx_len": 2048}
    file.write_text('{"ctx_len": "2048", "n_parallel": "several"}')
    assert house.library.engine_defaults("llama.cpp") == {"ctx_len": 2048}
    file.write_text('{"settings": {"ngl": 1}}')
    assert house.library.engine_defaults("llama.cpp") == {"ngl": 1}
    (house.models.parent / "engine.json").write_text('{"stolen": 1}')
    assert house.library.engine_defaults("..") == {}
    assert house.library.engine_defaults("a/../..") == {}

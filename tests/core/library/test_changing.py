"""Writing and deleting: only what is jan-host's own."""

import json
import os
from pathlib import Path

import pytest
from jan_host import (
    ConfigError,
    ConflictError,
    InvalidRequestError,
    Model,
    ModelError,
    ModelInfo,
    ModelNotFoundError,
    Source,
)

from tests.core.library.parts import MAGIC, House

MODEL = Model(
    id="hub/org/model",
    created=5,
    name="A model",
    format="gguf",
    engine="llama.cpp",
    sources=[Source(filename="x.gguf", url="https://h.org/x.gguf")],
    settings={"ctx_len": 9},
    parameters={"temperature": 0.5, "stop": ["\n"]},
    metadata={"tags": ["ü"]},
    origin="h:org",
)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_is_written_is_read(house: House) -> None:
    entry = house.library.write(MODEL)
    assert entry.model == MODEL
    assert entry.folder == house.library.folder_for("hub/org/model") == house.models / "hub%2Forg%2Fmodel"
    assert entry.file is not None
    assert json.loads(entry.file.read_text())["id"] == "hub/org/model"
    assert names(entry.folder) == ["model.json"]
    assert house.library.refresh() == {"hub/org/model"}
    assert house.library.refresh() == set()


def test_a_model_with_status_is_written_as_a_model(house: House) -> None:
    info = ModelInfo(**{name: getattr(MODEL, name) for name in Model.__struct_fields__}, requests=3)
    entry = house.library.write(info)
    assert entry.file is not None
    assert "requests" not in entry.file.read_text()
    assert entry.model == MODEL


def test_a_change_is_written_where_the_model_is(house: House) -> None:
    file = house.put("llava/llava-Q5.json", {"sources": ["x.gguf"], "name": "Old"})
    house.put("llava/x.gguf")
    model = house.only().model
    model = Model(id=model.id, name="New", sources=model.sources, engine=model.engine, format=model.format)
    assert house.library.write(model).file == file
    assert house.only().model.name == "New"


def test_a_model_that_is_fetched_later_gets_its_files_beside_its_json(house: House) -> None:
    file = house.put("zephyr/zephyr-q2.json", {"origin": "hub/zephyr", "engine": "nitro"})
    house.put("other/x.gguf")
    assert house.look()["zephyr-q2"].available
    assert house.library.folder_for("zephyr-q2") == file.parent
    assert house.library.folder_for("new") == house.models / "new"
    house.put("zephyr/x.gguf")
    entry = house.library.write(Model(id="zephyr-q2", engine="nitro", sources=[Source(filename="x.gguf")]))
    assert (entry.file, entry.problem) == (file, None)


def test_a_bare_file_gets_its_json_beside_it(house: House) -> None:
    house.put("one.gguf")
    house.put("two.gguf")
    house.look()
    model = house.library.get("one").model
    assert house.library.write(model).file == house.models / "one.json"
    assert set(house.look()) == {"one", "two"}


def test_a_failed_write_leaves_what_was_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    file = house.library.write(MODEL).file
    assert file is not None
    before = file.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ModelError, match="No space left"):
        house.library.write(Model(id=MODEL.id, name="other"))
    assert file.read_bytes() == before
    assert names(file.parent) == ["model.json"]


def test_writing_elsewhere_is_refused(house: House, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (house.models / "link").symlink_to(tmp_path / "outside")
    for folder in (tmp_path / "outside", house.models / ".." / "outside", house.models / "link"):
        with pytest.raises(ConflictError, match="writes only there"):
            house.library.write(MODEL, folder)
    with pytest.raises(InvalidRequestError):
        house.library.write(Model(id="link"))
    with pytest.raises(InvalidRequestError):
        house.library.write(Model(id=" / "), house.models / "m")
    assert names(tmp_path / "outside") == []


def test_another_models_file_is_not_overwritten(house: House) -> None:
    house.library.write(Model(id="first", engine="openai"), house.models / "m")
    with pytest.raises(ConflictError, match="first"):
        house.library.write(Model(id="second", engine="openai"), house.models / "m")


def test_a_model_in_a_foreign_folder_is_not_changed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    house = House(tmp_path, folders=[other])
    other.mkdir()
    (other / "x.gguf").write_bytes(MAGIC)
    house.look()
    with pytest.raises(ConflictError, match="used in place"):
        house.library.write(house.library.get("x").model)
    with pytest.raises(ConflictError, match="used in place"):
        house.library.delete("x")
    assert names(other) == ["x.gguf"]


def test_delete_a_folder(house: House) -> None:
    house.put("hub/org/m/model.json", {"engine": "openai"})
    house.put("hub/org/m/deep/x.gguf")
    house.put("other/x.gguf")
    house.look()
    house.library.delete("m")
    assert names(house.models) == ["other", "other/x.gguf"]
    assert house.library.refresh() == {"m"}
    with pytest.raises(ModelNotFoundError):
        house.library.delete("m")


def test_delete_one_of_several(house: House) -> None:
    house.put("m/one.json", {"sources": ["one.gguf", "shared.proj"], "engine": "nitro"})
    house.put("m/two.json", {"sources": ["two.gguf", "shared.proj"], "engine": "nitro"})
    for name in ("one.gguf", "two.gguf", "shared.proj"):
        house.put(f"m/{name}")
    house.look()
    house.library.delete("one")
    assert names(house.models / "m") == ["shared.proj", "two.gguf", "two.json"]
    assert house.only().problem is None


def test_delete_a_bare_file(house: House) -> None:
    house.put("one.gguf")
    house.put("two.gguf")
    house.put("m/x.gguf")
    house.look()
    house.library.delete("one")
    assert names(house.models) == ["m", "m/x.gguf", "two.gguf"]


def test_delete_a_broken_one(house: House) -> None:
    house.put("m/model.json", "[")
    house.put("n/x.gguf", "no magic")
    house.look()
    house.library.delete("m")
    house.library.delete("n")
    assert names(house.models) == []


def test_delete_one_whose_id_was_taken(house: House) -> None:
    for folder in ("a", "b"):
        house.put(f"{folder}/model.json", {"id": "same", "engine": "openai"})
    house.look()
    house.library.delete("same~2")
    assert names(house.models) == ["a", "a/model.json"]


def test_delete_never_follows_links(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.gguf").write_bytes(MAGIC)
    (outside / "model.json").write_text('{"sources": ["x.gguf"]}')
    (house.models / "linked-folder").symlink_to(outside)
    house.put("linked-url/model.json", {"sources": [{"url": (outside / "x.gguf").as_uri()}]})
    (house.models / "linked-file").mkdir()
    (house.models / "linked-file" / "y.gguf").symlink_to(outside / "x.gguf")
    (house.models / "bare.gguf").symlink_to(outside / "x.gguf")
    (house.models / "dangling").symlink_to(tmp_path / "nothing")
    before = names(outside)
    for model_id in list(house.look()):
        house.library.delete(model_id)
    assert names(house.models) == []
    assert names(outside) == before


def test_a_link_to_several_models_is_not_unlinked(house: House, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "outside" / name).mkdir(parents=True)
        (tmp_path / "outside" / name / "x.gguf").write_bytes(MAGIC)
    (house.models / "link").symlink_to(tmp_path / "outside")
    house.look()
    with pytest.raises(ConflictError, match="more models: two"):
        house.library.delete("one")


def test_a_source_outside_is_not_deleted(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside.gguf"
    outside.write_bytes(MAGIC)
    house.put("m/one.json", {"engine": "nitro", "sources": ["../../outside.gguf"]})
    house.put("m/two.json", {"engine": "nitro", "sources": [{"url": outside.as_uri()}]})
    house.look()
    house.library.delete("one")
    house.library.delete("two")
    assert outside.exists()
    assert names(house.models) == []


def test_a_broken_engine_json_is_named(house: House) -> None:
    file = house.models.parent / "engines" / "llama.cpp" / "engine.json"
    file.parent.mkdir(parents=True)
    file.write_text("[")
    with pytest.raises(ConfigError, match=r"engine\.json"):
        house.library.engine_defaults("llama.cpp")

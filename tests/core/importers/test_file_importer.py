"""The importer ``file``: what it takes from the disk, and what it leaves there."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from jan_host import (
    ForbiddenError,
    Importer,
    ImportFailedError,
    ImportOptions,
    ImportPlan,
    OriginNotFoundError,
)
from jan_host.importers import jan_importers
from jan_host.testing import ImporterContract


def file_importer() -> Importer:
    return next(importer for importer in jan_importers() if importer.name == "file")


async def resolve(origin: str | Path, options: ImportOptions | None = None) -> ImportPlan:
    return await file_importer().resolve(str(origin), options or ImportOptions())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("place")
    (place / "My Model.q4.bin").write_bytes(b"x" * 100)
    for number in (1, 2, 3):
        (place / f"big-{number:05}-of-00003.bin").write_bytes(b"y" * number)
    folder = place / "whole"
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(b"z" * 1000)
    (folder / "config.json").write_text("{}")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / ".hidden").write_text("x")
    (place / "empty").mkdir()
    return place


class TestFileImporter(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls) -> Importer:
        return file_importer()

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, place: Path) -> Sequence[str]:
        return [
            str(place / "My Model.q4.bin"),
            (place / "My Model.q4.bin").as_uri(),
            str(place / "big-00002-of-00003.bin"),
            str(place / "whole"),
        ]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls, place: Path) -> Sequence[str]:
        return [
            "",
            "/no/such/file",
            str(place / "empty"),
            "file://elsewhere/x",
            "/dev/null",
            "a\x00b",
            "~nobody/x",
        ]


async def test_a_file_becomes_a_model_of_its_name(place: Path) -> None:
    plan = await resolve(place / "My Model.q4.bin")
    assert (plan.model.id, plan.model.name, plan.model.format) == ("My-Model.q4", "My Model.q4", "bin")
    assert [(asset.filename, asset.size) for asset in plan.assets] == [("My Model.q4.bin", 100)]
    assert plan.origin == (place / "My Model.q4.bin").as_uri()


async def test_any_part_of_a_model_brings_all_in_order(place: Path) -> None:
    plan = await resolve(place / "big-00003-of-00003.bin")
    assert [asset.filename for asset in plan.assets] == [
        f"big-{number:05}-of-00003.bin" for number in (1, 2, 3)
    ]
    assert (plan.model.id, plan.size()) == ("big", 6)


async def test_a_missing_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "big-00001-of-00002.bin").write_bytes(b"x")
    with pytest.raises(OriginNotFoundError, match="big-00002-of-00002"):
        await resolve(tmp_path / "big-00001-of-00002.bin")
    (tmp_path / "big-00001-of-99999.bin").write_bytes(b"x")
    with pytest.raises(ImportFailedError, match="no part"):
        await resolve(tmp_path / "big-00001-of-99999.bin")


async def test_a_folder_keeps_its_structure_and_leaves_out_what_is_hidden(place: Path) -> None:
    plan = await resolve(place / "whole")
    assert [asset.filename for asset in plan.assets] == ["onnx/model.onnx", "config.json"]
    assert (plan.model.id, plan.model.format) == ("whole", "onnx")


async def test_links_inside_a_folder_are_followed_and_links_out_of_it_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"x")
    (folder / "same.bin").symlink_to(folder / "weights.bin")
    assert len((await resolve(folder)).assets) == 2
    (tmp_path / "secret").write_text("s")
    (folder / "innocent.json").symlink_to(tmp_path / "secret")
    with pytest.raises(ImportFailedError, match="leads out of"):
        await resolve(folder)


async def test_a_folder_behind_a_link_is_not_entered(tmp_path: Path) -> None:
    folder, other = tmp_path / "model", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (folder / "weights.bin").write_bytes(b"x")
    (other / "secret").write_text("s")
    (folder / "inner").symlink_to(other)
    assert [asset.filename for asset in (await resolve(folder)).assets] == ["weights.bin"]


async def test_a_cache_of_a_hub_is_a_folder_of_links_to_its_own_blobs(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--x" / "snapshots" / "abc", tmp_path / "models--x" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "0123").write_bytes(b"x")
    (snapshot / "model.bin").symlink_to(Path("..", "..", "blobs", "0123"))
    [asset] = (await resolve(snapshot)).assets
    assert (asset.filename, asset.path) == ("model.bin", (blobs / "0123").resolve())


async def test_too_many_files_are_no_model(tmp_path: Path) -> None:
    for number in range(1001):
        (tmp_path / str(number)).touch()
    with pytest.raises(ImportFailedError, match="more than 1000 files"):
        await resolve(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="pipes have no names in the file system there")
async def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImportFailedError):
        await resolve(tmp_path / "pipe")
    with pytest.raises(ImportFailedError):
        await resolve(tmp_path)


async def test_who_may_not_name_files_learns_nothing_of_them(place: Path) -> None:
    options = ImportOptions(local_paths=False)
    for origin in (place / "My Model.q4.bin", "/no/such/file"):
        with pytest.raises(ForbiddenError, match="local_paths"):
            await resolve(origin, options)

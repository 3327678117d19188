"""What is dropped into the models folder becomes a model by itself, and nothing that is half there does."""

import asyncio
import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest
from jan_host import LibraryEvent
from jan_host.library import watch
from jan_host.library.settling import PATIENCE_SECONDS

from tests.core.intake.conftest import Followed
from tests.plugins.llamacpp.writing import write_model, write_projector


async def listening(followed: Followed) -> None:
    """Return when the system tells of every change."""
    await asyncio.wait_for(followed.host.following.listening(), 30)


async def test_a_bare_file_gets_a_folder_and_a_model_json(followed: Followed, tmp_path: Path) -> None:
    write_model(tmp_path / "TinyLlama.Q8_0.gguf", general__author="ours").rename(
        followed.models / "TinyLlama.Q8_0.gguf"
    )
    models = await followed.until_has("TinyLlama.Q8_0")
    await followed.until_there("TinyLlama.Q8_0/model.json", "TinyLlama.Q8_0/TinyLlama.Q8_0.gguf")
    written = json.loads((followed.models / "TinyLlama.Q8_0" / "model.json").read_bytes())
    assert written["sources"] == [{"filename": "TinyLlama.Q8_0.gguf"}]
    assert (written["format"], written["engine"]) == ("gguf", "llama.cpp")
    assert written["metadata"] == models["TinyLlama.Q8_0"].metadata
    assert {"architecture", "quantization", "context_length", "parameter_count"} <= written["metadata"].keys()
    assert followed.all()["TinyLlama.Q8_0"].status == "downloaded"


async def test_a_copy_that_pauses_is_no_model_until_its_end(followed: Followed, tmp_path: Path) -> None:
    await listening(followed)
    data = write_model(tmp_path / "slow.gguf", tokens=4000).read_bytes()
    seen = followed.host.subscribe()
    with (followed.models / "slow.gguf").open("wb") as copy:
        for begin in range(0, len(data), len(data) // 4 + 1):
            copy.write(data[begin : begin + len(data) // 4 + 1])
            copy.flush()
            for _ in range(5):  # longer than what counts as rest
                await asyncio.sleep(0.1)
                await followed.host.refresh()
                assert followed.all().keys() <= ({"slow"} if begin * 4 >= len(data) * 3 else set())
    await followed.until_has("slow")
    first = await anext(seen)
    assert first == LibraryEvent(models=["slow"])


async def test_a_file_that_stays_half_is_shown_as_broken(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PATIENCE_SECONDS == 10.0
    monkeypatch.setattr("jan_host.library.settling.PATIENCE_SECONDS", 1.0)
    data = write_model(tmp_path / "half.gguf").read_bytes()
    (followed.models / "half.gguf").write_bytes(data[:-100])
    models = await followed.until_has("half", status="broken")
    assert "truncated" in (models["half"].status_reason or "")
    (followed.models / "half.gguf").write_bytes(data)
    await followed.until_has("half")


class TestTheSeedsCases:
    """S2: a bin and its json; a fine-tuned model, the same; one model of several binaries."""

    DOCUMENT = b'{\n  // mine\n  "name": "Zephyr",\n  "parameters": {"runtime": {"temperature": "0.7"}}\n}\n'

    async def test_a_bin_with_its_json(self, followed: Followed, tmp_path: Path) -> None:
        (followed.models / "zephyr.json").write_bytes(self.DOCUMENT)
        write_model(tmp_path / "t.gguf").rename(followed.models / "zephyr.bin")
        await followed.until_there("zephyr/zephyr.json", "zephyr/zephyr.bin")
        models = await followed.until_has("zephyr")
        assert (models["zephyr"].name, models["zephyr"].parameters) == ("Zephyr", {"temperature": 0.7})
        assert (followed.models / "zephyr" / "zephyr.json").read_bytes() == self.DOCUMENT

    async def test_the_json_comes_long_after(self, followed: Followed, tmp_path: Path) -> None:
        write_model(tmp_path / "t.gguf").rename(followed.models / "zephyr.bin")
        await followed.until_there("zephyr/model.json")
        (followed.models / "zephyr.json").write_bytes(self.DOCUMENT)
        await followed.until_there("zephyr/zephyr.bin")
        models = await followed.until_has("zephyr")
        assert models["zephyr"].parameters == {"temperature": 0.7}
        assert (followed.models / "zephyr" / "model.json").read_bytes() == self.DOCUMENT

    async def test_what_a_user_changed_is_never_replaced(self, followed: Followed, tmp_path: Path) -> None:
        write_model(tmp_path / "t.gguf").rename(followed.models / "zephyr.bin")
        await followed.until_there("zephyr/model.json")
        own = followed.models / "zephyr" / "model.json"
        changed = json.dumps(json.loads(own.read_bytes()) | {"description": "mine"})
        own.write_text(changed)
        await followed.until(lambda models: models["zephyr"].description == "mine")
        late = '{"sources": ["zephyr.bin"]}'
        (followed.models / "zephyr.json").write_text(late)
        await followed.until(lambda models: len(models) == 2)
        write_model(tmp_path / "zz.gguf").rename(followed.models / "zz.gguf")
        await followed.until(lambda _: (followed.models / "zz" / "model.json").exists())  # behind zephyr.json
        assert own.read_text() == changed
        assert (followed.models / "zephyr.json").read_text() == late

    async def test_several_binaries(self, followed: Followed, tmp_path: Path) -> None:
        write_projector(tmp_path / "p.gguf").rename(followed.models / "mmproj-llava.gguf")
        write_model(tmp_path / "m.gguf").rename(followed.models / "llava.gguf")
        await followed.until_there("llava/mmproj-llava.gguf", "llava/llava.gguf", "llava/model.json")
        assert followed.all()["llava"].settings["mmproj"] == "mmproj-llava.gguf"

    async def test_a_folder(self, followed: Followed, tmp_path: Path) -> None:
        folder = tmp_path / "My model"
        folder.mkdir()
        write_model(folder / "weights.gguf")
        folder.rename(followed.models / "My model")
        await followed.until_has("My model")
        assert [path.name for path in (followed.models / "My model").iterdir()] == ["weights.gguf"]


async def test_shards_are_one_model_when_all_are_there(followed: Followed, tmp_path: Path) -> None:
    names = [f"big-{number:05}-of-00002.gguf" for number in (1, 2)]
    for number, name in enumerate(names):
        write_model(tmp_path / name, split__count=2, split__no=number)
    await listening(followed)
    events = followed.host.subscribe()
    (tmp_path / names[0]).rename(followed.models / names[0])
    await asyncio.wait_for(followed.host.following.caught_up(), 10)
    (tmp_path / names[1]).rename(followed.models / names[1])
    await followed.until_has("big")
    await followed.until_there(*(f"big/{name}" for name in names))
    first = await anext(events)
    assert isinstance(first, LibraryEvent)
    assert first.models == ["big"]


@pytest.mark.parametrize("suffix", [".part", ".crdownload", ".partial", ".aria2"])
async def test_what_a_program_still_fetches_is_not_seen(
    suffix: str, followed: Followed, tmp_path: Path
) -> None:
    await listening(followed)
    (followed.models / "model.gguf").touch()  # as some browsers do
    data = write_model(tmp_path / "m.gguf").read_bytes()
    growing = followed.models / f"model.gguf{suffix}"
    growing.write_bytes(data)
    await followed.host.refresh()
    await followed.host.following.caught_up()
    assert followed.all() == {}
    growing.replace(followed.models / "model.gguf")
    await followed.until_has("model")


async def test_every_change_is_told(followed: Followed, tmp_path: Path) -> None:
    await listening(followed)
    (followed.models / "a").mkdir()
    write_model(tmp_path / "m.gguf").rename(followed.models / "a" / "m.gguf")
    await followed.until_has("a")
    events = followed.host.subscribe()
    (followed.models / "a").rename(followed.models / "b")
    await followed.until_has("b")
    shutil.rmtree(followed.models / "b")
    await followed.until_has()
    told = [await anext(events) for _ in range(2)]
    assert {model for event in told if isinstance(event, LibraryEvent) for model in event.models} >= {
        "a",
        "b",
    }


async def test_a_request_that_names_what_came_just_now_waits_for_it(
    followed: Followed, tmp_path: Path
) -> None:
    await listening(followed)
    shutil.copyfile(write_model(tmp_path / "now.gguf"), followed.models / "now.gguf")
    assert (await followed.host.look_up("now")).status == "downloaded"


async def test_a_list_looks_at_nothing_while_the_folders_are_followed(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listening(followed)
    looks: list[object] = []
    refresh = followed.host.library.refresh

    def noted(paths: Collection[Path] | None = None) -> set[str]:
        looks.append(paths)
        return refresh(paths)

    monkeypatch.setattr(followed.host.library, "refresh", noted)
    for _ in range(10):
        await followed.host.glance()
    assert None not in looks


async def test_where_the_system_tells_nothing_the_folders_are_compared(
    tmp_path: Path, followed: Followed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import watchfiles

    real = watchfiles.awatch

    def limited(*paths: Path, **options: object) -> object:
        if not options["force_polling"]:
            raise OSError("OS file watch limit reached.")
        return real(*paths, **options)  # type: ignore[arg-type]  # the options of the caller

    monkeypatch.setattr(watchfiles, "awatch", limited)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.2)
    await followed.host.following.close()
    followed.host.following.begin()
    write_model(tmp_path / "m.gguf").rename(followed.models / "m.gguf")
    await followed.until_has("m")
    assert "watch limit reached" in caplog.text
    assert not followed.host.following.is_trusted


async def test_what_came_before_the_system_told_of_changes_is_tidied_up(
    followed: Followed, tmp_path: Path
) -> None:
    file = write_model(tmp_path / "old.gguf")
    os.utime(file, (1, 1))  # a copy that keeps times
    assert not followed.host.following.is_trusted
    file.rename(followed.models / "old.gguf")
    await followed.until_there("old/old.gguf", "old/model.json")


async def test_what_lay_there_before_the_host_is_tidied_up_too(followed: Followed, tmp_path: Path) -> None:
    await followed.host.following.close()
    write_model(tmp_path / "m.gguf").rename(followed.models / "m.gguf")
    await followed.host.refresh()
    followed.host.following.begin()
    await followed.until_there("m/m.gguf", "m/model.json")


async def test_what_a_killed_process_left_is_swept_and_finished(followed: Followed, tmp_path: Path) -> None:
    await followed.host.following.close()
    write_model(tmp_path / "m.gguf").rename(followed.models / "m.gguf")
    (followed.models / "m").mkdir()
    os.link(followed.models / "m.gguf", followed.models / "m" / "m.gguf")
    left = followed.models / ".0011223344556677.arriving"
    left.mkdir()
    (left / ".lock").touch()
    (left / "m.gguf").touch()
    await followed.host.refresh()
    followed.host.following.begin()
    await followed.until_there("m/m.gguf")
    await followed.until_has("m")
    assert not left.exists()


class TestLinkedFolders:
    @pytest.fixture
    def config(self, tmp_path: Path) -> str:
        (tmp_path / "disk" / "x").mkdir(parents=True)
        write_model(tmp_path / "disk" / "x" / "m.gguf")
        return f'[library]\nfolders = ["{tmp_path / "disk"}"]\n'

    async def test_a_disk_that_goes_and_comes_back(self, followed: Followed, tmp_path: Path) -> None:
        await followed.until_has("x")
        (tmp_path / "disk").rename(tmp_path / "unplugged")
        await followed.until_has()
        (tmp_path / "unplugged").rename(tmp_path / "disk")
        await followed.until_has("x")
        write_model(tmp_path / "y.gguf").rename(tmp_path / "disk" / "y.gguf")
        await followed.until_has("x", "y")
        assert (tmp_path / "disk" / "y.gguf").is_file(), "it is used in place"


async def test_a_linked_file_that_goes_and_comes_back(followed: Followed, tmp_path: Path) -> None:
    from jan_host.host import LocalImport

    file = write_model(tmp_path / "m.gguf")
    await followed.host.import_local(LocalImport(path=str(file)))
    await followed.until_has("m")
    file.rename(tmp_path / "elsewhere")
    models = await followed.until_has("m", status="broken")
    assert str(file) in (models["m"].status_reason or "")
    (tmp_path / "elsewhere").rename(file)
    await followed.until_has("m")

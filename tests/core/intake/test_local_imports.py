"""Files of this machine are linked, copied or moved; each model is there whole, or not at all."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jan_host import (
    ConflictError,
    ForbiddenError,
    ImportFailedError,
    InvalidRequestError,
    JanHostError,
    ModelBrokenError,
    OriginNotFoundError,
)
from jan_host.host import LocalImport
from jan_host.intake.copying import copy_file
from jan_host.intake.local import LocalImports, Mode
from jan_host.intake.staging import sweep
from jan_host.library.engines import Engines

from tests.core.library.parts import MAGIC, AzureRemote, House, Native, Remote
from tests.core.library.test_hostile import NASTY, names_outside

DOCUMENT = b'{\n  // mine\n  "parameters": {"runtime": {"temperature": "0.7"}}\n}\n'


class Imports(House):
    """A root, and its imports."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        engines = Engines((Native(), Remote(), AzureRemote()))
        self.imports = LocalImports(self.library, self.models, [], engines)

    def bring(self, path: Path, mode: Mode = "copy", model_id: str | None = None) -> list[str]:
        self.library.refresh()
        return self.imports.run(LocalImport(path=str(path), mode=mode, id=model_id))


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path / "root")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the user's, with a model and his own JSON file for it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "zephyr.gguf").write_bytes(MAGIC + b"weights")
    (folder / "zephyr.json").write_bytes(DOCUMENT)
    (folder / "README.md").write_text("about it")
    return folder


def test_a_link_leaves_the_file_where_it_is(imports: Imports, outside: Path) -> None:
    assert imports.bring(outside / "zephyr.gguf", "link") == ["zephyr"]
    entry = imports.look()["zephyr"]
    assert entry.usable
    assert entry.model.files(entry.folder) == [outside / "zephyr.gguf"]
    assert entry.model.parameters["temperature"] == 0.7
    assert [path.name for path in entry.folder.iterdir()] == ["model.json"]
    imports.library.delete("zephyr")
    assert (outside / "zephyr.gguf").is_file()
    assert list(imports.models.iterdir()) == []


def test_the_same_link_twice_is_one_model(imports: Imports, outside: Path) -> None:
    assert imports.bring(outside / "zephyr.gguf", "link") == imports.bring(outside / "zephyr.gguf", "link")
    assert len(imports.look()) == 1


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_a_file_with_its_json_comes_as_it_is(imports: Imports, outside: Path, mode: Mode) -> None:
    assert imports.bring(outside / "zephyr.gguf", mode) == ["zephyr"]
    entry = imports.look()["zephyr"]
    assert {path.name for path in entry.folder.iterdir() if path.name[0] != "."} == {
        "zephyr.gguf",
        "zephyr.json",
    }
    assert (entry.folder / "zephyr.json").read_bytes() == DOCUMENT
    assert (entry.folder / "zephyr.gguf").read_bytes() == MAGIC + b"weights"
    left = {path.name for path in outside.iterdir()}
    assert left == ({"README.md"} if mode == "move" else {"README.md", "zephyr.gguf", "zephyr.json"})


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_a_folder_comes_whole(imports: Imports, outside: Path, mode: Mode) -> None:
    imports.bring(outside, mode)
    (entry,) = imports.look().values()
    assert (entry.folder / "README.md").read_text() == "about it"
    assert outside.exists() is (mode == "copy")


def test_what_an_engine_read_is_written_down(imports: Imports, tmp_path: Path) -> None:
    file = tmp_path / "bare.gguf"
    file.write_bytes(MAGIC)
    imports.bring(file)
    written = json.loads((imports.models / "bare" / "model.json").read_bytes())
    assert (written["engine"], written["metadata"]) == ("llama.cpp", {"architecture": "tiny"})


def test_an_id_of_ones_own_keeps_the_users_json_beside(imports: Imports, outside: Path) -> None:
    assert imports.bring(outside / "zephyr.gguf", "copy", "my/model") == ["my/model"]
    folder = imports.look()["my/model"].folder
    assert folder == imports.models / "my%2Fmodel"
    assert (folder / "zephyr.json.bak").read_bytes() == DOCUMENT
    with pytest.raises(ConflictError, match="already"):
        imports.bring(outside / "zephyr.gguf", "copy", "my/model")


def test_ids_that_are_taken_get_a_number(imports: Imports, outside: Path) -> None:
    found = [imports.bring(outside / "zephyr.gguf", "copy")[0] for _ in range(3)]
    assert found[0] == "zephyr"
    assert len(set(found)) == 3
    assert set(imports.look()) == set(found)
    assert all(entry.usable for entry in imports.look().values())


def test_several_models_of_a_folder(imports: Imports, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    for name in ("a/x.gguf", "b/y.gguf", "c/bad.gguf"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(MAGIC if "bad" not in name else b"bad")
    (folder / "a" / "model.json").write_text("{}")
    (folder / "b" / "model.json").write_text("{}")
    assert sorted(imports.bring(folder, "link")) == ["a", "b"]
    with pytest.raises(InvalidRequestError, match="2 models"):
        imports.bring(folder, "copy", "one")


def test_a_file_that_two_models_share_stays(imports: Imports, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "both.gguf").write_bytes(MAGIC)
    for name in ("a", "b"):
        (folder / f"{name}.json").write_text('{"sources": ["both.gguf"]}')
    assert sorted(imports.bring(folder, "move")) == ["a", "b"]
    assert [path.name for path in folder.iterdir()] == ["both.gguf"]
    assert all(entry.usable for entry in imports.look().values())


def test_what_can_not_be_imported_says_why(imports: Imports, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "empty").mkdir()
    inside = imports.put("m/x.gguf")
    for path, kind, words in [
        (tmp_path / "absent", OriginNotFoundError, "absent"),
        (tmp_path / "empty", OriginNotFoundError, "empty"),
        (tmp_path / "bad.gguf", ModelBrokenError, "does not begin"),
        (tmp_path / "notes.txt", ModelBrokenError, "No installed engine"),
        (inside, ConflictError, "here already"),
        (Path("relative"), InvalidRequestError, "absolute"),
    ]:
        with pytest.raises(kind, match=words):
            imports.bring(path)


def test_a_cancelled_copy_leaves_nothing(imports: Imports, outside: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise ForbiddenError("Enough.")

    with pytest.raises(ForbiddenError):
        imports.imports.run(LocalImport(path=str(outside), mode="move"), stop)
    assert list(imports.models.iterdir()) == []
    assert len(list(outside.iterdir())) == 3


def test_a_copy_shares_nothing_that_a_write_could_change(imports: Imports, outside: Path) -> None:
    imports.bring(outside / "zephyr.gguf")
    with (outside / "zephyr.gguf").open("r+b") as file:
        file.write(b"XXXX")
    assert (imports.models / "zephyr" / "zephyr.gguf").read_bytes() == MAGIC + b"weights"


@pytest.mark.parametrize("size", [0, 1, 5 << 20])
def test_a_copy_is_the_same_and_as_old(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(os.urandom(size))
    os.utime(source, ns=(10**18, 10**18 + 1))
    told: list[int] = []
    copy_file(source, target, told.append)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mtime_ns == 10**18 + 1
    assert sum(told) == size
    with pytest.raises(FileExistsError):
        copy_file(source, target, told.append)


def test_an_unreadable_file_says_so(imports: Imports, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "zephyr.gguf")

    monkeypatch.setattr("jan_host.intake.local.copy_file", full)
    with pytest.raises(ImportFailedError, match="No space left"):
        imports.bring(outside / "zephyr.gguf")
    assert list(imports.models.iterdir()) == []


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.binary(min_size=1, max_size=40),
    model_id=NASTY | st.text(max_size=20),
    mode=st.sampled_from(["link", "copy", "move"]),
    document=st.sampled_from([None, DOCUMENT, b"{", b'{"id": "../x"}', b'{"sources": ["../../x"]}']),
)
def test_no_name_leads_out_of_the_root(
    imports: Imports, tmp_path: Path, name: bytes, model_id: str, mode: Mode, document: bytes | None
) -> None:
    stem = os.fsdecode(name.replace(b"/", b"_").replace(b"\0", b"0"))
    folder = tmp_path / "strange"
    folder.mkdir(exist_ok=True)
    file = folder / f"{stem}.gguf"
    file.write_bytes(MAGIC)
    if document is not None:
        (folder / f"{stem}.json").write_bytes(document)
    before = names_outside(imports.models)
    try:
        found = imports.bring(file, mode, model_id or None)
    except JanHostError:
        found = []
    assert names_outside(imports.models) == before
    for own_id in found:
        assert imports.library.get(own_id).folder.parent == imports.models
        imports.library.delete(own_id)
    if mode != "move":
        assert file.read_bytes() == MAGIC
    for path in folder.glob("*"):
        path.unlink()


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.core.intake.test_local_imports import Imports
calls, point = 0, int(sys.argv[3])
def at_fault_point(event, arguments):
    global calls
    if event in ("open", "os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "os.utime"):
        is_write = event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if is_write and ("/root" in str(arguments[0]) or "/mine" in str(arguments[0])):
            calls += 1
            if calls == point:
                os.kill(os.getpid(), signal.SIGKILL)
imports = Imports(Path(sys.argv[1]) / "root")
imports.library.refresh()
sys.addaudithook(at_fault_point)
if sys.argv[2] == "delete":
    imports.library.delete("zephyr")
else:
    imports.bring(Path(sys.argv[1]) / "mine" / "zephyr.gguf", sys.argv[2])
"""


@pytest.mark.parametrize("what", ["link", "copy", "move", "delete"])
def test_kill_9_at_any_moment(tmp_path: Path, what: str) -> None:
    """The process dies before each of its calls on the disk in turn, until one is late enough."""
    seen = set()
    for point in range(1, 80):
        base = tmp_path / f"{what}{point}"
        file = base / "mine" / "zephyr.gguf"
        file.parent.mkdir(parents=True)
        file.write_bytes(MAGIC)
        imports = Imports(base / "root")
        if what == "delete":
            imports.bring(file, "copy")
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(base), what, str(point), str(Path(__file__).parents[3])],
            timeout=60,
            check=False,
        )
        is_whole = "zephyr" in imports.look()
        assert all(entry.usable for entry in imports.look().values())
        assert set(imports.look()) <= {"zephyr"}
        assert file.exists() or (what == "move" and is_whole)
        for left in imports.models.glob(".*.arriving"):
            os.utime(left, (0, 0))  # a young one without a lock may be just beginning
        sweep(imports.models)
        assert not list(imports.models.glob(".*"))
        seen.add(is_whole)
        if child.returncode != -signal.SIGKILL:
            assert child.returncode == 0
            break
    assert seen == {True, False}
    assert point > 2

"""No id, no filename and no content makes a path outside the root, hides another model, or ends the scan."""

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jan_host.contract.errors import JanHostError
from jan_host.library import Library

from tests.core.library.parts import MAGIC, SEEDS, AzureRemote, House, Native, Remote

NASTY = st.sampled_from(
    [
        *["..", "../../x", "/etc/passwd", "a/../../b", "C:\\x", "\\\\h\\x", "con", ".", "%2e%2e", "~", ""],
        *["file:///etc/passwd", "https://[", "http://h/..", "\udcff", "\0", "x" * 300, "ä" * 200, "..gguf"],
    ]
)
TEXT = NASTY | st.text(max_size=20)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELD = st.sampled_from(
    [
        *["id", "sources", "source_url", "engine", "settings", "parameters", "metadata", "format", "name"],
        *["created", "version", "assets", "origin", "import_format", "engine_parameters", "download_url"],
    ]
)
SOURCES = st.lists(st.fixed_dictionaries({"filename": TEXT, "url": TEXT}), max_size=2)
DOCUMENTS = (
    st.dictionaries(FIELD, VALUES, max_size=5).map(json.dumps).map(lambda text: text.encode())
    | st.builds(lambda found, name: json.dumps({"id": name, "sources": found}).encode(), SOURCES, TEXT)
    | st.sampled_from([file.read_bytes() for file in sorted(SEEDS.glob("*.json"))])
    | st.binary(max_size=60)
)


def names_outside(root: Path) -> set[str]:
    return {path.name for path in root.parent.iterdir()} - {root.name}


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.binary(min_size=1, max_size=40), document=DOCUMENTS, model_id=TEXT)
def test_whatever_lies_there(house: House, name: bytes, document: bytes, model_id: str) -> None:
    good = house.put("good/x.gguf")
    folder = os.fsencode(house.models) + b"/strange-" + name.replace(b"/", b"_").replace(b"\0", b"0")
    with contextlib.suppress(OSError):  # a file system may have no such name
        os.mkdir(folder)
        Path(os.fsdecode(folder), "model.json").write_bytes(document)
    (house.models / "f").mkdir(exist_ok=True)
    (house.models / "f" / "model.json").write_bytes(document)
    before = names_outside(house.models)
    entries = house.look()
    assert any(entry.folder == good.parent and entry.problem is None for entry in entries.values())
    assert house.library.problems(list(entries.values())) is not None
    for entry in entries.values():
        assert house.library.get(entry.model.id) is entry
        with contextlib.suppress(JanHostError):
            assert house.library.folder_for(entry.model.id).is_relative_to(house.models)
        if entry.usable and entry.model.sources and not _links(entry.model.sources):
            for file in entry.model.files(entry.folder):
                assert file.resolve().is_relative_to(house.models.resolve())
    with contextlib.suppress(JanHostError):
        assert house.library.folder_for(model_id).parent == house.models
    assert names_outside(house.models) == before
    for path in house.models.iterdir():
        if path.name.startswith("strange-"):
            (path / "model.json").unlink(missing_ok=True)
            path.rmdir()


def _links(sources: list[Any]) -> bool:
    return any(source.url.startswith("file:") for source in sources)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS)
def test_whatever_is_migrated_reads_the_same(house: House, document: bytes) -> None:
    for left in (house.models / "m").glob("*") if (house.models / "m").is_dir() else ():
        left.unlink()
    file = house.put("m/model.json", document)
    (entry,) = house.look().values()
    with contextlib.suppress(JanHostError):
        migration = house.library.migration(entry)
        assert migration is not None
        migration.carry_out()
        (again,) = house.look().values()
        kept, new = again.model.metadata.pop("unused", {}), entry.model
        new.metadata.pop("unused", None)
        new.settings = {name.replace("-", "_"): value for name, value in new.settings.items()}
        again.model.settings = {name.replace("-", "_"): v for name, v in again.model.settings.items()}
        assert again.model == new, kept
        second = house.library.migration(again)
        assert second is not None
        assert not second.is_needed or "unused" in json.loads(file.read_bytes())["metadata"]
        assert (file.parent / "model.json.bak").read_bytes() == document


def test_what_only_looks_like_a_model_json(house: House, tmp_path: Path) -> None:
    house.put("good/x.gguf")
    (house.models / "folder" / "model.json").mkdir(parents=True)
    house.put("folder/model.json/y.gguf")
    (house.models / "pipe").mkdir()
    os.mkfifo(house.models / "pipe" / "model.json")
    (house.models / "socket").mkdir()
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(house.models / "socket"):
        listening.bind("model.json")
    (house.models / "dangling").mkdir()
    (house.models / "dangling" / "model.json").symlink_to(tmp_path / "nothing")
    (house.models / "loop").mkdir()
    (house.models / "loop" / "model.json").symlink_to("model.json")
    (house.models / "device").mkdir()
    (house.models / "device" / "model.json").symlink_to("/dev/zero")
    house.put("x" * 250 + "/y.gguf")
    found = house.look()
    problems = {name: entry.problem for name, entry in found.items()}
    assert problems.pop("good") is None
    assert problems.pop("x" * 250) is None
    assert problems.pop("model.json") is None
    assert "leads nowhere" in (problems.pop("dangling") or "")
    assert "leads nowhere" in (problems.pop("loop") or "")
    assert problems == {}


def test_names_that_differ_in_case_alone(house: House) -> None:
    for name in ("Model", "model"):
        house.put(f"{name}/x.gguf")
    assert set(house.look()) == {"Model", "model"}
    house.put("Model/model.json", {"id": "same", "sources": ["x.gguf"]})
    house.put("model/model.json", {"id": "SAME", "sources": ["x.gguf"]})
    found = house.look()
    assert {name: entry.usable for name, entry in found.items()} == {"same": True, "SAME": True}


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{a: " * 100_000,
        b'{"id": "x"' + b" " * 100_000_000 + b"}",
        b'\xff\xfe{\x00"\x00a\x00"\x00:\x001\x00}\x00',
        b'{"id": "a", "id": "b"}',
        b'{"created": NaN, "x": Infinity}',
        b'{"created": ' + b"9" * 4000 + b"}",
        b'{"id": "\\u0000"}',
        b"\0" * 1000,
        b'"' * 50_000,
        b"/*" * 30_000,
        b"a: '''" + b"x" * 60_000,
        b"# " * 30_000,
    ],
    ids=lambda content: repr(content[:8]),
)
def test_content_that_would_hurt_a_reader(house: House, content: bytes) -> None:
    house.put("good/x.gguf")
    house.put("bad/model.json", content)
    found = house.look()
    assert found["good"].usable
    assert found["bad"].problem
    (problem, *_) = house.library.problems([found["bad"]])
    assert problem.level == "error"


def test_a_pipe_that_takes_the_place_of_a_file(house: House) -> None:
    """Between a look at the folder and the reading of the file anything may happen."""
    from jan_host.library.read import read_object

    os.mkfifo(house.models / "model.json")
    with pytest.raises(JanHostError, match="no file"):
        read_object(house.models / "model.json")


def test_files_that_come_and_go_during_the_look(tmp_path: Path) -> None:
    class Racing(Native):
        def inspect(self, files: Any) -> Any:
            for file in files:
                if "gone" in file.name:
                    file.unlink()
            return super().inspect(files)

    models = tmp_path / "models"
    for name in ("a/x.gguf", "b/gone.gguf"):
        (models / name).parent.mkdir(parents=True)
        (models / name).write_bytes(MAGIC)
    library = Library(
        models_folder=models, engines_folder=tmp_path, engines=[Racing(), Remote(), AzureRemote()]
    )
    library.refresh()
    assert library.get("a").usable
    library.refresh()
    assert [entry.model.id for entry in library.entries()] == ["a"]

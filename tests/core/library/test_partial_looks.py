"""A look at what changed finds what a look at everything would find."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jan_host.library import Entry, Library

from tests.core.library.parts import MAGIC, AzureRemote, House, Native, Remote

NAMES = [
    "a",
    "b",
    "c.gguf",
    "model.json",
    "d/x.gguf",
    "a/model.json",
    "a/x.gguf",
    "b/deep/y.gguf",
    "b/z.json",
]
CONTENTS = [MAGIC, b'{"sources": ["x.gguf"]}', b'{"id": "b", "engine": "openai"}', b"{", b""]


def put(root: Path, name: str, content: bytes) -> None:
    file = root / name
    if not file.is_dir():
        for parent in file.parents:
            if parent.is_file():
                parent.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def remove(root: Path, name: str, _: bytes) -> None:
    path = root / name
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def link(root: Path, name: str, content: bytes) -> None:
    if not (root / name).exists() and not (root / name).is_symlink() and (root / name).parent.is_dir():
        (root / name).symlink_to(root / ("a" if content == MAGIC else "b"))


def move(root: Path, name: str, content: bytes) -> None:
    target = root / ("moved" if content == MAGIC else "b")
    if (root / name).exists() and not target.exists():
        (root / name).rename(target)


Change = tuple[Callable[[Path, str, bytes], None], str, bytes]


def told(library: Library) -> list[Entry]:
    return list(library.entries())


def fresh(root: Path, other: Path) -> list[Entry]:
    library = library_of(root, other)
    library.refresh()
    return told(library)


def library_of(root: Path, other: Path) -> Library:
    return Library(
        models_folder=root,
        folders=[other],
        engines_folder=root.parent / "engines",
        engines=[Native(), Remote(), AzureRemote()],
    )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([put, put, put, remove, move, link]),
            st.sampled_from(NAMES),
            st.sampled_from(CONTENTS),
        ),
        max_size=12,
    )
)
def test_partial_looks_are_as_good(tmp_path: Path, changes: list[tuple[bool, Any, str, bytes]]) -> None:
    shutil.rmtree(tmp_path / "roots", ignore_errors=True)
    roots = [tmp_path / "roots" / name for name in ("models", "other")]
    for root in roots:
        root.mkdir(parents=True)
    library = library_of(*roots)
    library.refresh()
    for is_other, change, name, content in changes:
        root = roots[is_other]
        with contextlib.suppress(OSError):  # not every change is possible everywhere
            change(root, name, content)
        changed = {root / name, root / "moved", root / "b"} if change is move else {root / name}
        library.refresh(changed)
        assert told(library) == fresh(*roots)


def test_only_what_changed_is_looked_at(tmp_path: Path) -> None:
    engine = Native()
    house = House(tmp_path, engine)
    for name in ("a/x.gguf", "b/x.gguf", "bare.gguf"):
        house.put(name)
    house.look()
    engine.asked.clear()
    unseen, seen = house.put("a/x.gguf", MAGIC + b"more"), house.put("b/x.gguf", MAGIC + b"more")
    assert house.library.refresh([seen]) == {"b"}
    assert house.library.refresh([house.models / ".hidden" / "x.gguf"]) == set()
    new = house.put("new.gguf")
    assert house.library.refresh([new]) == {"new"}
    assert engine.asked == [["x.gguf"], ["bare.gguf", "new.gguf"]]
    assert house.library.refresh([unseen]) == {"a"}
    shutil.rmtree(seen.parent)
    assert house.library.refresh([seen.parent]) == {"b"}


@pytest.mark.parametrize("place", ["outside", "root"])
def test_what_can_not_be_told_apart_is_looked_at_whole(tmp_path: Path, place: str) -> None:
    house = House(tmp_path)
    house.put("a/x.gguf")
    assert house.library.refresh([house.models if place == "root" else tmp_path]) == {"a"}


def test_the_list_is_the_same_object_until_something_changes(house: House) -> None:
    file = house.put("a/x.gguf")
    house.look()
    before = house.library.entries()
    house.library.refresh()
    house.library.refresh([file])
    assert house.library.entries() is before
    house.put("b/x.gguf")
    house.library.refresh()
    assert house.library.entries() is not before

"""Ids are keys: no id makes a path outside the root."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host.contract.errors import InvalidRequestError
from jan_host.library.ids import check_id, path_for, shown_id

NASTY = [
    *["..", ".", "../../etc/passwd", "/etc/passwd", "a/../../b", "..\\..\\b", "C:\\windows", "C:"],
    *["\\\\host\\x", "a\0b", "con", "NUL.txt", "LPT1", "a.", "a ", " ", "", "/", "//", "~", "~root"],
    *["$HOME", "%2e%2e", "%2E%2E/x", "..%00", "a:b", "a*?", ".hidden", "-rf", "\u202e", "\ud800"],
    *["x" * 255, "x" * 513, "ä" * 200, "\U0001f600" * 100],
]


@settings(deadline=None)  # a busy machine is no error
@given(st.text(max_size=600) | st.sampled_from(NASTY) | st.text("./\\:%~ aA\0", max_size=12))
def test_a_path_is_directly_below_the_root(text: str) -> None:
    root = Path("/somewhere/models")
    try:
        path = path_for(root, text)
    except InvalidRequestError:
        return
    assert path.parent == root
    assert Path(os.path.normpath(path)) == path
    assert 0 < len(os.fsencode(path.name)) <= 200
    assert path.name[0] != "."


@pytest.mark.parametrize("text", NASTY)
def test_a_path_can_be_made(tmp_path: Path, text: str) -> None:
    try:
        path = path_for(tmp_path, text)
    except InvalidRequestError:
        return
    path.mkdir()
    assert os.listdir(tmp_path) == [path.name]


@settings(deadline=None)  # a busy machine is no error
@given(st.text(max_size=400), st.text(max_size=400))
def test_two_ids_have_two_paths(one: str, two: str) -> None:
    try:
        different = check_id(one) != check_id(two)
        assert (path_for(Path("/m"), one) != path_for(Path("/m"), two)) == different
    except InvalidRequestError:
        pass


def test_ordinary_ids_keep_their_names() -> None:
    for name in ("SmolLM2-135M-Instruct.Q4_1", "llama.cpp", "gemma 3", "modèle"):
        assert path_for(Path("/m"), name).name == name


def test_slashes_make_no_folders() -> None:
    path = path_for(Path("/m"), "/openai.azure.com/docs-test-001/gpt4-turbo")
    assert path == Path("/m/openai.azure.com%2Fdocs-test-001%2Fgpt4-turbo")


@pytest.mark.parametrize("name", ["con", "NUL.txt", "Com1", "lpt9.json"])
def test_device_names_of_windows_are_escaped(name: str) -> None:
    assert path_for(Path("/m"), name).name.startswith("%")


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "model").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidRequestError, match="link"):
        path_for(tmp_path / "root", "model")


@settings(deadline=None)  # a busy machine is no error
@given(st.text(max_size=600))
def test_a_shown_id_is_an_id(text: str) -> None:
    assert check_id(shown_id(text))

"""``jan-host import`` and ``jan-host export``, with and without a server."""

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Run
from tests.core.host.conftest import POEM
from tests.plugins.caches.layouts import lmstudio


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    """A model of the example engine, outside of the root."""
    file = tmp_path / "elsewhere" / "sea.ngram.txt"
    file.parent.mkdir()
    file.write_text(POEM)
    return file


def test_link_is_the_default(run: Run, root: Path, poem: Path) -> None:
    said = run("import", str(poem))
    assert (said.code, said.err) == (0, "")
    assert "is linked: its files stay where they are" in said.out
    (model,) = [model for model in json.loads(run("models", "--json").out) if model["sources"][0].get("url")]
    assert model["sources"][0]["url"] == poem.as_uri()
    assert run("rm", model["id"]).code == 0
    assert poem.is_file()


@pytest.mark.parametrize("mode", ["--copy", "--move"])
def test_copy_and_move(run: Run, root: Path, poem: Path, mode: str) -> None:
    (model,) = json.loads(run("import", mode, str(poem), "--id", "own", "--json").out)
    assert model["id"] == "own"
    assert (root / "models" / "own" / "sea.ngram.txt").read_text() == POEM
    assert poem.exists() is (mode == "--copy")


def test_an_export_is_imported_again(run: Run, root: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "poem"
    assert run("export", "poem", str(target)).code == 0
    assert {path.name for path in target.iterdir()} == {"model.json", "poem.ngram.txt"}
    assert run("export", "poem", str(target)).code == 1
    assert run("rm", "poem").code == 0
    (model,) = json.loads(run("import", "--copy", str(target), "--json").out)
    assert (model["id"], model["status"]) == ("poem", "downloaded")


def test_a_running_server_sees_it(run: Run, server: str, poem: Path) -> None:
    said = run("import", str(poem), "--id", "sea")
    assert said.code == 0, said.err
    assert httpx.get(f"{server}/v1/models/sea", trust_env=False).json()["status"] == "downloaded"
    other = run("import", "--copy", str(poem), "--id", "there", "--url", server)
    assert other.code == 0, other.err
    assert httpx.get(f"{server}/v1/models/there", trust_env=False).json()["status"] == "downloaded"


def test_wrong_calls(run: Run, poem: Path) -> None:
    assert run("import").code == 2
    assert run("import", "--discover", str(poem)).code == 2
    said = run("import", "no/such/file")
    assert (said.code, "no/such/file" in said.err) == (1, True)


def test_discover_shows_and_with_yes_links(run: Run, root: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = lmstudio(home / ".lmstudio")
    said = run("import", "--discover", HOME=str(home))
    assert "gemma-3-4b-it-Q4_K_M" in said.out
    assert "lm-studio" in said.out
    assert "--yes" in said.out
    assert not (root / "models" / file.stem).exists()
    assert f"Linked: {file.stem}" in run("import", "--discover", "--yes", HOME=str(home)).out
    assert file.as_uri() in (root / "models" / file.stem / "model.json").read_text()
    assert "not here already" in run("import", "--discover", HOME=str(home)).out

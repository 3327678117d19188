"""``jan-host pull`` and ``downloads``, alone and through a running server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.core.host.conftest import POEM
from tests.hub import Answer, Bytes, Hub, running_hub

BODY = POEM.encode() * 2000


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as made:
        made.add("a/b", {"sea.ngram.txt": Bytes(BODY)})
        yield made


def address(hub: Hub) -> str:
    return "https:" + hub.resolve_url("a/b", "sea.ngram.txt").removeprefix("http:")


def test_a_plan_is_a_table_that_can_be_piped(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "winter.txt"
    text.write_text(POEM)
    said = run("pull", f"textfile:{text}", "--dry-run")
    assert said.code == 0, said.err
    assert "\x1b" not in said.out
    lines = said.out.splitlines()
    assert lines[0].startswith("winter  from ")
    assert [line.split()[0] for line in lines[2:5]] == ["words", "★", "quotes"]
    assert any(line.startswith("★ phrases: what its publisher recommends") for line in lines)
    assert "winter.ngram.txt" in said.out
    assert "free there" in said.out
    assert f"jan-host pull textfile:{text} --variant NAME" in said.out


def test_signs_that_the_output_can_not_show_are_written_plainly(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "winter.txt"
    text.write_text(POEM)
    said = run("pull", f"textfile:{text}", "--dry-run", PYTHONIOENCODING="ascii")
    assert said.code == 0, said.err
    assert said.out.isascii()
    assert "* phrases" in said.out


def test_a_plan_as_json(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "winter.txt"
    text.write_text(POEM)
    plan = json.loads(run("pull", f"textfile:{text}", "--dry-run", "--json").out)
    assert (plan["variant"], plan["assets"][0]["path"]) == ("phrases", str(text))


def test_a_path_that_exists_needs_no_name_in_front(run: Run, root: Path, tmp_path: Path) -> None:
    (tmp_path / "deep sea.ngram").mkdir()
    (tmp_path / "deep sea.ngram" / "sea.ngram.txt").write_text(POEM)
    said = run("pull", str(tmp_path / "deep sea.ngram"))
    assert said.code == 0, said.err
    assert "sea.ngram is here" in said.out
    assert (root / "models" / "sea.ngram" / "sea.ngram.txt").read_text() == POEM
    assert "example-ngram" in run("models").out


def test_without_a_terminal_lines_tell_how_it_went(run: Run, hub: Hub) -> None:
    said = run("pull", hub.resolve_url("a/b", "sea.ngram.txt"), "--importer", "https", "--id", "sea")
    assert said.code == 0, said.err
    assert f"sea: done, {len(BODY) / 1000:.1f} kB of" in said.err
    assert "sea is here" in said.out
    assert run("downloads").out.startswith("No downloads")


def test_the_running_server_pulls(run: Run, server: str, hub: Hub, root: Path) -> None:
    origin = hub.resolve_url("a/b", "sea.ngram.txt")
    planned = run("pull", origin, "--importer", "https", "--dry-run")
    assert "sea.ngram.txt" in planned.out, planned.err
    said = run("pull", origin, "--importer", "https", "--id", "sea", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["status"] == "done"
    listed = run("downloads")
    assert "sea" in listed.out
    assert "done" in listed.out
    [info] = json.loads(run("downloads", "--json").out)
    assert info["model"] == "sea"
    assert run("run", "sea", "The sea", "--max-tokens", "2").code == 0


def test_a_download_that_fails_says_how_to_go_on_and_does(
    run: Run, server: str, hub: Hub, root: Path
) -> None:
    origin = hub.resolve_url("a/b", "sea.ngram.txt")
    headers = {"X-Linked-ETag": f'"{"0" * 64}"'}
    hub.answers["/a/b/resolve/main/sea.ngram.txt"] = Answer(body=BODY, headers=headers, times=1)
    said = run("pull", origin, "--importer", "https", "--id", "sea")
    assert said.code == 1
    assert "is not the file that was promised" in said.err
    assert "jan-host downloads resume dl-" in said.err
    assert "sea" in run("downloads").out
    cancelled = run("downloads", "cancel", "sea", "--drop")
    assert cancelled.code == 0, cancelled.err
    assert "deleted" in cancelled.out


def test_downloads_that_are_not_there(run: Run) -> None:
    for action in ("cancel", "resume"):
        said = run("downloads", action, "nothing")
        assert (said.code, said.err) == (
            1,
            "jan-host: There is no download 'nothing'. See: jan-host downloads\n",
        )

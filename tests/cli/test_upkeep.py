"""``jan-host models show --layers``, ``validate`` and ``migrate``."""

import json
from pathlib import Path

from tests.cli.conftest import Run

BAD = """{
  "id": "bad", // an old friend
  "engine": "example-ngram",
  "sttings": {},
  "parameters": {
    "temperature": -1,
    "top_k": "7"
  },
  "sources": ["gone.story"]
}
"""


def put(root: Path, name: str, text: str) -> Path:
    file = root / "models" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_validate_says_what_is_wrong_and_where(run: Run, root: Path) -> None:
    good = run("models", "validate")
    assert (good.code, good.out) == (0, "Nothing is wrong with 1 model.\n")
    file = put(root, "bad/model.json", BAD)
    put(root, "worse/model.json", '{"a": 1,\n "b": [1, 2\n')
    said = run("models", "validate")
    assert said.code == 1
    assert f"{file}:9:3: error: The file gone.story is missing" in said.out
    assert f"{file}:4:3: warning: sttings is not used" in said.out
    assert "Did you mean settings?" in said.out
    assert f"{file}:6:5: warning: parameters.temperature is not used: it is" in said.out
    assert f"{root / 'models' / 'worse' / 'model.json'}:3:1: error: model.json can't be read" in said.out
    assert said.out.endswith("3 models: 2 errors, 2 warnings.\n")


def test_validate_a_file_a_folder_or_what_is_elsewhere(run: Run, root: Path, tmp_path: Path) -> None:
    file = put(root, "bad/model.json", BAD)
    (problem, *_) = json.loads(run("models", "validate", str(file), "--json").out)
    assert {name: problem[name] for name in ("level", "model", "line", "column", "field")} == {
        "level": "error",
        "model": "bad",
        "line": 9,
        "column": 3,
        "field": "sources",
    }
    assert run("models", "validate", str(root / "models" / "poem")).code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "model.json").write_text(BAD)
    assert run("models", "validate", str(elsewhere)).out.endswith("1 model: 1 error, 2 warnings.\n")
    (elsewhere / "words.json").write_text("{}")
    assert "does not describe a model" in run("models", "validate", str(elsewhere / "words.json")).err
    assert run("models", "validate", str(elsewhere / "nothing")).code == 1


def test_show_layers(run: Run, root: Path) -> None:
    put(root, "bad/model.json", BAD)
    engine = root / "engines" / "example-ngram" / "engine.json"
    engine.parent.mkdir(parents=True)
    engine.write_text('{"order": 4}')
    document = {"engine_parameters": {"api_key": "hush"}, "parameters": {"top_k": "3"}}
    put(root, "poem/model.json", json.dumps(document))
    lines = {
        line.split()[0]: line.split(None, 1)[1]
        for line in run("models", "show", "poem", "--layers").out.splitlines()
    }
    assert lines["parameters.top_k"].split(None, 1) == ["3", "model.json: parameters.top_k"]
    assert lines["settings.api_key"].split(None, 1) == ['"***"', "model.json: engine_parameters.api_key"]
    found = {each["field"]: each for each in json.loads(run("show", "poem", "--layers", "--json").out)}
    assert found["settings.order"]["source"] == "engine.json"
    assert found["settings.order"]["covers"][0]["source"] == "the engine's default"


def test_migrate(run: Run, root: Path) -> None:
    file = put(root, "bad/model.json", BAD)
    dry = run("models", "migrate", "bad", "--dry-run")
    assert '-  "id": "bad", // an old friend' in dry.out
    assert file.read_text() == BAD
    assert "1 of 1 model.json files rewritten" in run("models", "migrate", "bad").out
    assert json.loads(file.read_text())["parameters"] == {"top_k": 7}
    assert file.with_name("model.json.bak").read_text() == BAD
    assert "0 of 1" in run("models", "migrate", str(file)).out
    put(root, "worse/model.json", "{")
    all_of_them = run("models", "migrate")
    assert all_of_them.code == 1
    assert "worse" in all_of_them.err


def test_migrate_touches_no_folder_that_is_used_in_place(run: Run, root: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "model.json").write_text(BAD)
    (root / "config.toml").write_text(f'[library]\nfolders = ["{foreign}"]\n')
    assert "never written to" in run("models", "migrate", "bad").err
    assert "never written to" in run("models", "migrate", str(foreign)).err
    run("models", "migrate")
    assert (foreign / "model.json").read_text() == BAD


def test_set_changes_what_is_named(run: Run, root: Path) -> None:
    said = run("models", "set", "poem", "name=The Sea", "settings.ctx_len=64", "parameters.top_k=3")
    assert (said.code, said.out) == (0, "Changed poem\n")
    assert run("models", "set", "poem", "--unset", "parameters.top_k", 'metadata.tags=["sea"]').code == 0
    written = json.loads((root / "models" / "poem" / "model.json").read_text())
    assert (written["name"], written["settings"], written["metadata"]["tags"]) == (
        "The Sea",
        {"ctx_len": 64},
        ["sea"],
    )
    assert "parameters" not in written or written["parameters"] == {}


def test_set_refuses_what_can_not_be_used(run: Run) -> None:
    for arguments, words in (
        ([], "settings.ctx_len=8192"),
        (["ctx_len"], "NAME=VALUE"),
        (["ctx_len=5"], "settings.NAME"),
        (["settings.ctx_len=wide"], "ctx_len"),
        (["settings.ctx_length=5"], "ctx_len"),
    ):
        said = run("models", "set", "poem", *arguments)
        assert (said.code, len(said.err.splitlines())) == (1, 1), said
        assert words in said.err

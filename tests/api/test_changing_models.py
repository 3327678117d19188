"""``PATCH /v1/models/{id}``: what a client changes is written, and nothing else."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import StartServer
from tests.core.host.conftest import POEM

WRITTEN = """{
  // mine, with a comment
  "name": "Poem",
  "settings": {"ctx_len": "64", "api_key": "hidden"},
  "parameters": {"temperature": 0.5},
  "flavour": "salt",
}"""


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    """The folder of a model of the example engine, which a user described."""
    folder = tmp_path / "root" / "models" / "poem"
    folder.mkdir(parents=True)
    (folder / "poem.ngram.txt").write_text(POEM)
    (folder / "model.json").write_text(WRITTEN)
    return folder


def change(client: httpx.Client, body: Any) -> dict[str, Any]:
    answer = client.patch("/v1/models/poem", json=body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def test_what_is_named_changes_and_the_rest_stays(start_server: StartServer, poem: Path) -> None:
    with start_server() as server, server.client() as client:
        body = {
            "description": "of the sea",
            "settings": {"ctx_len": 128},
            "parameters": {"max_tokens": 3, "temperature": None},
            "metadata": {"tags": ["sea"]},
        }
        changed = change(client, body)
        assert (changed["name"], changed["description"]) == ("Poem", "of the sea")
        assert changed["settings"]["ctx_len"] == 128
        assert changed["parameters"] == {"max_tokens": 3}
        assert changed["metadata"]["tags"] == ["sea"]
        assert client.get("/v1/models/poem").json() == changed
    assert (poem / "model.json.bak").read_text() == WRITTEN
    written = json.loads((poem / "model.json").read_text())
    assert written["settings"] == {"ctx_len": 128, "api_key": "hidden"}
    assert written["metadata"]["unused"] == {"flavour": "salt"}


def test_a_masked_secret_that_comes_back_is_kept(start_server: StartServer, poem: Path) -> None:
    with start_server() as server, server.client() as client:
        shown = client.get("/v1/models/poem").json()["settings"]
        assert shown["api_key"] == "***"
        change(client, {"settings": shown})
        nested = client.patch("/v1/models/poem", json={"settings": {"upstreams": [{"api_key": "***"}]}})
        assert (nested.status_code, nested.json()["error"]["param"]) == (422, "settings.upstreams")
        address = {"home": "https://user:hidden@far.example"}
        change(client, {"metadata": address})
        change(client, {"metadata": {"home": "https://***@far.example"}})
        elsewhere = client.patch("/v1/models/poem", json={"metadata": {"home": "https://***@else.example"}})
        assert (elsewhere.status_code, elsewhere.json()["error"]["param"]) == (422, "metadata.home")
    assert "user:hidden@far.example" in (poem / "model.json").read_text()
    assert json.loads((poem / "model.json").read_text())["settings"]["api_key"] == "hidden"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"settings": {"ctx_len": "wide"}}, "settings.ctx_len"),
        ({"settings": {"ctx_length": 5}}, "settings.ctx_length"),
        ({"settings": {"keep_alive": "soon"}}, "settings.keep_alive"),
        ({"parameters": {"temperature": "hot"}}, "parameters.temperature"),
        ({"id": "other"}, None),
        ({"settings": 5}, "settings"),
        ([], None),
    ],
)
def test_what_can_not_be_used_is_refused_and_nothing_is_written(
    start_server: StartServer, poem: Path, body: Any, param: str | None
) -> None:
    with start_server() as server, server.client() as client:
        answer = client.patch("/v1/models/poem", json=body)
        assert answer.status_code == 422, answer.text
        if param:
            assert answer.json()["error"]["param"] == param
    assert [path.name for path in poem.iterdir()] == ["poem.ngram.txt", "model.json"] or (
        poem / "model.json"
    ).read_text() == WRITTEN


def test_a_running_model_says_that_its_settings_have_changed(start_server: StartServer, poem: Path) -> None:
    with start_server() as server, server.client() as client:
        assert client.put("/v1/models/poem/start").json()["status"] == "running"
        assert any(
            "stop it" in warning for warning in change(client, {"settings": {"ctx_len": 32}})["warnings"]
        )
        client.put("/v1/models/poem/stop")
        assert not any("stop it" in warning for warning in client.get("/v1/models/poem").json()["warnings"])


def test_an_unknown_model_and_one_in_a_folder_of_the_users(
    start_server: StartServer, poem: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere" / "theirs"
    elsewhere.mkdir(parents=True)
    (elsewhere / "theirs.ngram.txt").write_text(POEM)
    config = f'[library]\nfolders = ["{tmp_path / "elsewhere"}"]\n'
    with start_server(config) as server, server.client() as client:
        assert client.patch("/v1/models/none", json={"name": "x"}).status_code == 404
        refused = client.patch("/v1/models/theirs", json={"name": "x"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert [path.name for path in elsewhere.iterdir()] == ["theirs.ngram.txt"]

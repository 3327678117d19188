"""``POST /v1/models/import``: files of the host's machine, for its own users."""

from pathlib import Path

import httpx
import pytest

from tests.api.conftest import StartServer
from tests.core.host.conftest import POEM

ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}
"""What a proxy adds to the request of another machine."""


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    """A model of the example engine, outside of the root."""
    file = tmp_path / "mine" / "sea.ngram.txt"
    file.parent.mkdir()
    file.write_text(POEM)
    return file


def post(client: httpx.Client, path: object, mode: str = "link", **more: object) -> httpx.Response:
    return client.post("/v1/models/import", json={"path": str(path), "mode": mode, **more})


def test_link_copy_and_move(start_server: StartServer, poem: Path) -> None:
    with start_server() as server, server.client() as client:
        (linked,) = post(client, poem, id="linked").raise_for_status().json()["data"]
        assert (linked["id"], linked["status"]) == ("linked", "downloaded")
        assert linked["sources"][0]["url"] == poem.as_uri()
        (copied,) = post(client, poem, "copy", id="copied").raise_for_status().json()["data"]
        assert copied["sources"][0].get("url", "") == ""
        assert client.delete("/v1/models/linked").json()["deleted"]
        assert poem.is_file()
        (moved,) = post(client, poem, "move", id="moved").raise_for_status().json()["data"]
        assert not poem.exists()
        listed = {model["id"]: model["status"] for model in client.get("/v1/models").json()["data"]}
        assert listed["copied"] == listed["moved"] == "downloaded"
        assert "linked" not in listed
        body = {"model": moved["id"], "prompt": "The sea", "max_tokens": 2}
        assert client.post("/v1/completions", json=body).status_code == 200


def test_what_can_not_be(start_server: StartServer, poem: Path, tmp_path: Path) -> None:
    with start_server() as server, server.client() as client:
        assert post(client, poem, id="bad").status_code == 409
        assert post(client, tmp_path / "absent").status_code == 404
        assert post(client, "relative/path").status_code == 400
        assert post(client, poem, "borrow").status_code == 422
        assert post(client, poem, extra=1).status_code == 422
        for answer in (post(client, tmp_path / "absent"), post(client, poem, "borrow")):
            assert answer.json()["error"]["message"]


def test_other_machines_name_no_files_of_this_one(start_server: StartServer, poem: Path) -> None:
    with start_server() as server, server.client(headers=ELSEWHERE) as client:
        answer = post(client, poem)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert client.post("/v1/models/import", json={"path": "/etc/passwd"}).status_code == 403


def test_unless_the_operator_says_so(start_server: StartServer, poem: Path) -> None:
    with (
        start_server("[downloads]\nlocal_paths = true\n") as server,
        server.client(headers=ELSEWHERE) as client,
    ):
        assert post(client, poem).status_code == 200

"""Pull, plan and the downloads, through HTTP."""

import time
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import StartServer


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "A Tale.txt"
    file.write_text("It was the best of times, it was the worst of times. " * 20)
    return file


def finished(client: httpx.Client, download_id: str) -> dict[str, object]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        info: dict[str, object] = client.get(f"/v1/downloads/{download_id}").json()
        if info["status"] != "running":
            return info
    raise AssertionError("the download does not end")


def test_plan_and_pull(start_server: StartServer, text: Path) -> None:
    with start_server() as server, server.client() as client:
        body = {"origin": f"textfile:{text}", "variant": "words"}
        plan = client.post("/v1/models/plan", json=body).json()
        assert (plan["importer"], plan["variant"], plan["model"]["id"]) == ("textfile", "words", "a-tale")
        assert plan["assets"][0]["path"] == str(text)
        assert client.get("/v1/models/a-tale").status_code == 404

        answer = client.post("/v1/models/pull", json=body)
        assert answer.status_code == 202
        download = answer.json()
        assert finished(client, download["id"])["status"] == "done"
        assert [each["id"] for each in client.get("/v1/downloads").json()["data"]] == [download["id"]]
        assert client.get("/v1/models/a-tale").json()["status"] == "downloaded"

        again = client.post("/v1/models/pull", json=body)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
        chat = {"model": "a-tale", "messages": [{"role": "user", "content": "It was"}], "max_tokens": 4}
        assert client.post("/v1/chat/completions", json=chat).status_code == 200


def test_cancel_and_resume(start_server: StartServer, text: Path) -> None:
    with start_server() as server, server.client() as client:
        done = client.post("/v1/models/pull", json={"origin": f"textfile:{text}"}).json()
        finished(client, done["id"])
        for answer in (
            client.delete(f"/v1/downloads/{done['id']}"),
            client.post(f"/v1/downloads/{done['id']}/resume"),
        ):
            assert answer.status_code in (200, 202, 409)


def test_what_is_wrong(client: httpx.Client) -> None:
    for method, path in (
        ("GET", "/v1/downloads/none"),
        ("DELETE", "/v1/downloads/none"),
        ("POST", "/v1/downloads/none/resume"),
    ):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "download_not_found")
    nobody = client.post("/v1/models/pull", json={"origin": "what-is-this"})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (404, "origin_not_found")
    strange = client.post("/v1/models/plan", json={"origin": "x", "colour": "red"})
    assert strange.status_code == 422


def test_only_this_machines_own_clients_may_name_its_files(start_server: StartServer, text: Path) -> None:
    with start_server() as server, server.client() as client:
        for origin in (f"file:{text}", str(text), f"textfile:{text}", "/etc/shadow", "http://127.0.0.1:9/x"):
            for path in ("/v1/models/plan", "/v1/models/pull"):
                headers = {"X-Forwarded-For": "203.0.113.7"}
                answer = client.post(path, json={"origin": origin}, headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), origin
        assert client.post("/v1/models/plan", json={"origin": f"file:{text}"}).status_code == 200


def test_hostile_origins(client: httpx.Client) -> None:
    for origin in ("", "x" * 1_000_000, "a\x00b", "a\nb", "file:///proc/self/mem", "file:/", "https://[::1"):
        answer = client.post("/v1/models/plan", json={"origin": origin})
        assert 400 <= answer.status_code < 503, (origin[:20], answer.text[:200])
        assert answer.json()["error"]["code"] != "internal_error", answer.text[:300]
        assert len(answer.content) < 2000

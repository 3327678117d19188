"""Pull, plan and the downloads, through HTTP."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import StartServer, running_server
from tests.hub import Hub, running_hub

TALE = b"It was the best of times, it was the worst of times. " * 60_000
FILE = "org/tale/a-tale.txt"
STALL = 2 << 20


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "A Tale.txt"
    file.write_text("It was the best of times, it was the worst of times. " * 20)
    return file


def finished(client: httpx.Client, download_id: str) -> dict[str, object]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        info: dict[str, object] = client.get(f"/v1/downloads/{download_id}").json()
        if info["status"] not in ("waiting", "running"):
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


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub with a file that stalls after two thirds of it."""
    with running_hub() as running:
        running.add("org/tale", {"a-tale.txt": TALE})
        running.fault(FILE).stall_at = STALL
        yield running


def begun(client: httpx.Client, hub: Hub) -> str:
    """The id of a download that has got all that comes before the stall."""
    body = {"origin": hub.resolve_url("org/tale", "a-tale.txt"), "id": "tale"}
    answer = client.post("/v1/models/pull", json=body)
    assert answer.status_code == 202, answer.text
    info: dict[str, Any] = answer.json()
    deadline = time.monotonic() + 30
    while info["received"] < STALL:
        assert time.monotonic() < deadline, info
        info = client.get(f"/v1/downloads/{info['id']}").json()
    assert info["files"][0]["status"] == "running"
    return str(info["id"])


def noted(root: Path) -> bool:
    return any(str(STALL) in note.read_text() for note in (root / "downloads").rglob("*.part.json"))


def test_a_killed_host_goes_on_by_itself(start_server: StartServer, plugin_path: str, hub: Hub) -> None:
    with start_server() as server, server.client() as client:
        download = begun(client, hub)
        deadline = time.monotonic() + 30
        while not noted(server.root) and time.monotonic() < deadline:
            time.sleep(0.05)  # a file tells of itself to nobody
        server.process.kill()
        server.process.wait()
    hub.fault(FILE).stall_at = None
    with running_server(server.root, plugin_path) as again, again.client() as client:
        assert finished(client, download)["status"] == "done"
        [file] = (server.root / "models" / "tale").glob("*.txt")
        assert file.read_bytes() == TALE
    assert [start for start, _ in hub.ranges(FILE)][-1] == STALL


def test_a_model_is_shown_while_it_comes(start_server: StartServer, hub: Hub) -> None:
    with start_server() as server, server.client() as client:
        download = begun(client, hub)
        shown = client.get("/v1/models/tale").json()
        assert (shown["id"], shown["status"]) == ("tale", "downloading")
        assert client.delete(f"/v1/downloads/{download}").json()["status"] == "cancelled"


def test_cancel_keeps_or_drops(start_server: StartServer, hub: Hub) -> None:
    with start_server() as server, server.client() as client:
        download = begun(client, hub)
        cancelled = client.delete(f"/v1/downloads/{download}").json()
        assert (cancelled["status"], cancelled["received"]) == ("cancelled", STALL)
        assert list((server.root / "downloads").rglob("*.part"))
        dropped = client.delete(f"/v1/downloads/{download}", params={"drop": "true"}).json()
        assert dropped["status"] == "cancelled"
        assert list((server.root / "downloads").iterdir()) == []
        hub.fault(FILE).stall_at = None
        assert client.post(f"/v1/downloads/{download}/resume").status_code == 202
        assert finished(client, download)["status"] == "done"


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

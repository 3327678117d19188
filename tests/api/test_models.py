"""The model routes: list, look up, start, stop, delete."""

import socket
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from jan_host import ValidationError
from jan_host.api.models import start_settings
from jan_host.api.paths import model_id, rewritten

from tests.api.conftest import MODEL, PATIENCE, Pipe, StartServer, chat


def ids(client: httpx.Client, query: str = "") -> set[str]:
    answer = client.get(f"/v1/models{query}").json()
    assert answer["object"] == "list"
    return {model["id"] for model in answer["data"]}


def test_list_and_filter(start_server: StartServer) -> None:
    with start_server() as server, server.client() as client:
        assert ids(client) == ids(client, "?filter=all") == {MODEL, "two", "bad"}
        assert all(
            ids(client, f"?filter={name}") == set()
            for name in ("running", "downloading", "available", "remote")
        )
        assert client.put("/v1/models/two/start").json()["status"] == "running"
        assert ids(client, "?filter=running") == {"two"}
        assert ids(client, "?filter=downloaded") == {MODEL, "two", "bad"}
        wrong = client.get("/v1/models?filter=walking")
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "filter")


@pytest.mark.parametrize("written", [MODEL, quote(MODEL, safe=""), f"/{MODEL}", f"%2F{MODEL}", f"{MODEL}/"])
@pytest.mark.parametrize("prefix", ["/v1/models/", "/models/"])
def test_ids_with_slashes(client: httpx.Client, prefix: str, written: str) -> None:
    model = client.get(f"{prefix}{written}").json()
    assert (model["id"], model["object"], model["engine"]) == (MODEL, "model", "scripted")


def test_an_unknown_id(client: httpx.Client) -> None:
    for path in ("/v1/models/none", "/v1/models/scripted/none/start", "/v1/models/..%2F..%2Fetc"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert client.put("/v1/models/scripted%2Fnone/start").status_code == 404


def test_start_and_stop(start_server: StartServer) -> None:
    with start_server() as server, server.client() as client:
        for written in (MODEL, quote(MODEL, safe="")):
            started = client.put(f"/v1/models/{written}/start", json={"settings": {"ctx_len": 64}}).json()
            assert (started["id"], started["status"]) == (MODEL, "running")
            assert started["capabilities"] == ["chat", "complete", "embed", "rerank", "tokenize", "vision"]
            assert client.put(f"/v1/models/{written}/stop").json()["status"] == "downloaded"


def test_the_seeds_start_body_and_a_wrong_engine(start_server: StartServer) -> None:
    with start_server() as server, server.client() as client:
        body = {"id": "two", "model_parameters": {"ctx_len": "64"}, "engine": "by-the-book"}
        assert client.put("/v1/models/two/start", json=body).json()["status"] == "running"
        other = client.put("/v1/models/two/start", json={"engine": "example-ngram"})
        assert (other.status_code, other.json()["error"]["param"]) == (400, "engine")
        unknown = client.put("/v1/models/two/start", json={"engine": "of-nobody"})
        assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "engine")


def test_a_model_that_fails_to_start_says_why(client: httpx.Client) -> None:
    answer = client.put("/v1/models/bad/start")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_load_failed")
    assert "promises 3 tensors" in answer.json()["error"]["message"]
    again = client.post("/v1/chat/completions", json=chat("count 1") | {"model": "bad"})
    assert (again.status_code, again.json()["error"]["code"]) == (503, "model_cooling_down")
    assert int(again.headers["retry-after"]) > 1
    assert client.get("/v1/models/bad").json()["status"] == "failed"


def test_the_only_running_model_answers_when_none_is_named(start_server: StartServer) -> None:
    with start_server() as server, server.client() as client:
        body = {name: value for name, value in chat("count 1").items() if name != "model"}
        unclear = client.post("/v1/chat/completions", json=body)
        assert (unclear.status_code, unclear.json()["error"]["param"]) == (400, "model")
        client.put("/v1/models/two/start")
        assert client.post("/v1/chat/completions", json=body).json()["model"] == "two"


def test_delete(start_server: StartServer) -> None:
    with start_server() as server, server.client() as client:
        assert client.delete(f"/v1/models/{MODEL}").json() == {
            "id": MODEL,
            "object": "model",
            "deleted": True,
        }
        assert client.get(f"/v1/models/{MODEL}").status_code == 404
        assert not (server.root / "models" / "one").exists()


def test_a_deletion_waits_for_nobody_to_listen(start_server: StartServer, pipe: Pipe) -> None:
    """A client that leaves does not leave half of a deletion behind."""
    with start_server() as server, server.client() as client:
        body = chat(f"until {pipe.path}", stream=True)
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert pipe.next() == "begun"
            with socket.create_connection(server.address) as leaving:
                leaving.sendall(f"DELETE /v1/models/{MODEL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            pipe.go()
            assert answer.read().endswith(b"data: [DONE]\n\n")
        deadline = time.monotonic() + PATIENCE
        while client.get(f"/v1/models/{MODEL}").status_code != 404:
            assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ({}, {}),
        ({"settings": {"a": 1}}, {"a": 1}),
        ({"a": 1, "id": "x", "engine": "y"}, {"a": 1}),
        ({"model_parameters": {"a": 1}, "engine": "llamacpp"}, {"a": 1}),
        ({"engine_parameters": {"a": 1}, "b": 2}, {"a": 1, "b": 2}),
        ({"init": {"a": 1}, "settings": None}, {"a": 1}),
    ],
)
def test_where_settings_may_stand(body: dict[str, Any], settings: dict[str, Any]) -> None:
    assert start_settings(body) == settings


def test_settings_must_be_an_object() -> None:
    with pytest.raises(ValidationError, match="settings must be an object"):
        start_settings({"settings": [1]})


@pytest.mark.parametrize(
    ("method", "raw", "path", "name"),
    [
        ("GET", "/v1/models", "/v1/models", None),
        ("GET", "/v1/models/", "/v1/models/", None),
        ("GET", "/v1/models/a/b", "/v1/models/a%2Fb", "a/b"),
        ("GET", "/models/a%2Fb", "/models/a%2Fb", "a/b"),
        ("GET", "/v1/models/a/start", "/v1/models/a%2Fstart", "a/start"),
        ("PUT", "/v1/models/a/b/start", "/v1/models/a%2Fb/start", "a/b"),
        ("PUT", "/v1/models//a%2Fstart/stop", "/v1/models/a%2Fstart/stop", "a/start"),
        ("DELETE", "/v1/models/100%25", "/v1/models/100%25", "100%"),
        ("DELETE", "/v1/models/a%252Fb", "/v1/models/a%252Fb", "a%2Fb"),
        ("POST", "/v1/models/pull", "/v1/models/pull", None),
    ],
)
def test_ids_are_put_into_one_segment(method: str, raw: str, path: str, name: str | None) -> None:
    scope: Any = {"method": method, "path": "/not/used" if name else raw, "raw_path": raw.encode()}
    assert rewritten(scope) == path
    if name is not None:
        assert model_id(path.split("/models/")[1].partition("/")[0]) == name

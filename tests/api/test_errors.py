"""What a client hears when something is wrong: one shape, a status, an id, and what to do."""

import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import MODEL, StartServer, chat, said

JSON = {"content-type": "application/json"}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


def error_of(response: httpx.Response) -> dict[str, Any]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


def post(client: httpx.Client, body: Any) -> httpx.Response:
    return client.post("/v1/chat/completions", json=body)


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/completions", "/v1/embeddings", "/v1/models/pull"]
)
def test_a_body_that_is_missing_is_asked_for(client: httpx.Client, path: str) -> None:
    response = client.post(path, headers=JSON)
    assert response.status_code == 422
    assert error_of(response)["message"] == "The request needs a JSON object as its body."


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": MODEL, "messages": [{"role": "pirate", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": 5}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "smell"}, {"type": "text", "text": 1}]}]},
            "messages[0].content[1].text",
        ),
        ({"messages": [{"role": "user", "content": "x", "$extra": {}}]}, "$extra"),
        ({"messages": said("x"), "tools": [{"type": "function"}]}, "tools[0].function"),
        ({"messages": said("x"), "tools": [{"type": "custom"}, {"function": {}}]}, "tools[1].function.name"),
        ({"messages": said("x"), "response_format": {"schema": {}}}, "response_format.type"),
        ({"messages": said("x"), "response_format": {"type": {}}}, "response_format.type"),
        ({"model": MODEL, "messages": said("x"), **TOOLS, "tool_choice": "any"}, "tool_choice"),
        ({"messages": said("x"), "max_tokens": -2}, "max_tokens"),
        ({"messages": said("x"), "ma": 1e999}, None),
        ({"messages": []}, "messages"),
        ({}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": said("x"), "temperature": -1}, "temperature"),
        ({"messages": said("x"), "top_k": 10**30}, "top_k"),
        ({"messages": said("x"), "seed": "one"}, "seed"),
        ({"messages": said("x"), "$extra": {"a": 1}}, "$extra"),
    ],
)
def test_a_malformed_field_is_named(client: httpx.Client, body: Any, param: str | None) -> None:
    content = json.dumps(body).replace("Infinity", "1e999")
    response = client.post("/v1/chat/completions", content=content, headers=JSON)
    assert response.status_code == 422
    error = error_of(response)
    assert (error["param"], error["code"], error["type"]) == (
        param,
        "validation_error",
        "invalid_request_error",
    )
    assert error["message"].startswith(param or "The request's body") or param == "$extra"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 5}, "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": "x" * 21}, "stop"),
        ({"tools": [{"type": "function", "function": {"name": f"f{i}"}} for i in range(4)]}, "tools"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": "y" * 2000}}}]},
            "tools",
        ),
        ({"response_format": {"type": "json_object", "schema": {"x": "y" * 2000}}}, "response_format"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "s", "schema": {"x": "y" * 2000}},
                }
            },
            "response_format",
        ),
        ({"grammar": "x" * 2000}, "grammar"),
        ({"regex": "x" * 2000}, "regex"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {
                "tools": [{"type": "function", "function": {"name": "f"}}],
                "tool_choice": {"type": "function", "function": {"name": "g"}},
            },
            "tool_choice",
        ),
    ],
)
def test_what_asks_for_too_much_is_refused(client: httpx.Client, fields: dict[str, Any], param: str) -> None:
    response = post(client, chat("count 1", **fields))
    assert response.status_code == 400
    assert error_of(response)["param"] == param


@pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"\xff\xfe", b"not json", b'{"a":NaN}'])
def test_what_is_not_json(client: httpx.Client, body: bytes) -> None:
    response = client.post("/v1/chat/completions", content=body, headers=JSON)
    assert response.status_code == 400
    assert error_of(response)["code"] == "invalid_request"


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"3"])
def test_json_that_is_no_object(client: httpx.Client, body: bytes) -> None:
    response = client.post("/v1/chat/completions", content=body, headers=JSON)
    assert response.status_code == 422
    error_of(response)


def test_deep_nesting_in_an_unknown_field(client: httpx.Client) -> None:
    deep = (
        b'{"model":"two","messages":[{"role":"user","content":"count 1"}],"deep":'
        + b"[" * 20_000
        + b"]" * 20_000
    )
    response = client.post("/v1/chat/completions", content=deep + b"}", headers=JSON)
    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_request")


def test_a_missing_body(client: httpx.Client) -> None:
    response = client.post("/v1/chat/completions")
    assert response.status_code == 422
    assert "JSON object" in error_of(response)["message"]


def test_unknown_paths_and_methods(client: httpx.Client) -> None:
    for path in ("/nowhere", "/v1/nowhere", "/v1", "/docs/deeper", "/v1/chat/completions/"):
        response = client.get(path)
        assert response.status_code in (404, 405), path
        error_of(response)
    response = client.put("/v1/completions", json={})
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
    assert "POST" in response.headers["allow"]


def test_a_form_for_a_route_that_there_is_not(client: httpx.Client) -> None:
    response = client.post("/v1/audio/transcriptions", files={"file": b"RIFF"}, data={"model": "whisper-1"})
    assert response.status_code == 404
    assert "/v1/audio/transcriptions" in error_of(response)["message"]


def test_a_well_known_route_that_is_not_offered_names_the_one_that_is(client: httpx.Client) -> None:
    response = client.post("/v1/responses", json={"model": MODEL, "input": "Hello"})
    assert response.status_code == 404
    assert "Use POST /v1/chat/completions." in error_of(response)["message"]


def test_an_unknown_model(client: httpx.Client) -> None:
    response = post(client, chat("count 1") | {"model": "none"})
    assert (response.status_code, error_of(response)["code"]) == (404, "model_not_found")
    endless = post(client, chat("count 1") | {"model": "x" * 50_000})
    assert (endless.status_code, error_of(endless)["code"]) == (404, "model_not_found")
    assert len(endless.content) < 5000


@pytest.mark.parametrize(
    "fields",
    [
        {"unknown": 10**30},
        {"chat_template_kwargs": {"budget": -(10**30)}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"maximum": 10**30}}}]},
    ],
)
def test_integers_that_no_engine_can_take(client: httpx.Client, fields: dict[str, Any]) -> None:
    response = post(client, chat("count 1", **fields))
    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_request")


def test_an_unexpected_failure_leaks_nothing(client: httpx.Client, server: Any) -> None:
    response = client.get("/notes/fail", headers={"x-request-id": "find-me"})
    assert response.status_code == 500
    error = error_of(response)
    assert error["code"] == "internal_error"
    assert "find-me" in error["message"]
    assert "secret" not in response.text
    assert "a secret that no client may see" in server.log.read_text()


def test_a_mark_of_byte_order_is_stepped_over(client: httpx.Client) -> None:
    body = "\ufeff" + json.dumps(chat("count 1"))
    assert client.post("/v1/chat/completions", content=body, headers=JSON).status_code == 200


def test_a_large_body(start_server: StartServer) -> None:
    """It is decoded elsewhere than a small one."""
    with start_server() as server, server.client() as client:
        whole = {**chat("count 1"), "more": ["ä"] * 100_000}
        assert client.post("/v1/chat/completions", json=whole).status_code == 200
        broken = client.post("/v1/completions", json={"prompt": ["a" * 400_000, {}]})
        assert error_of(broken)["param"] == "prompt[1]"


@pytest.mark.parametrize("given", ["a b", "x" * 129, "tab\tbed", "ümlaut"])
def test_a_strange_request_id_is_replaced(client: httpx.Client, given: str) -> None:
    response = client.get("/health", headers=[(b"x-request-id", given.encode())])
    assert response.headers["x-request-id"].startswith("req-")


def test_head_and_options(client: httpx.Client) -> None:
    head = client.head(f"/v1/models/{MODEL}")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 100
    assert client.head("/v1/events").status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/v1/chat/completions", "OPTIONS, POST"),
        ("//chat/completions/?a=b", "OPTIONS, POST"),
        ("/v1/models/a/b", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/models/a%2Fb/start", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/v1/downloads/7", "DELETE, GET, HEAD, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
    ],
)
def test_all_methods_of_a_path_are_told(client: httpx.Client, path: str, allowed: str) -> None:
    options = client.options(f"{client.base_url}{path}")
    assert (options.status_code, options.headers["allow"]) == (204, allowed)
    if "PUT" not in allowed:  # where it is, the others take what stands before it for a model's id
        refused = client.request("PUT", f"{client.base_url}{path}")
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


def test_options_of_nothing(client: httpx.Client) -> None:
    assert error_of(client.options("/v1/nothing"))["code"] == "not_found"


def test_the_root_and_the_probes(client: httpx.Client) -> None:
    assert client.get("/").json()["docs"] == "/docs"
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json()["status"] == "ready"

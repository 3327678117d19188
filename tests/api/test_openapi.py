"""The OpenAPI document: the seeds' frame, and true to the code."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from litestar.routes import HTTPRoute

from tests.api.conftest import MODEL, said


@pytest.fixture(scope="module")
def document(server: Any) -> dict[str, Any]:
    with server.client() as client:
        answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def test_the_seeds_frame(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "👋Jan API"
    assert document["info"]["contact"]["email"] == "support@jan.ai"
    assert {tag["name"] for tag in document["tags"]} >= {"Models", "Chat", "Completions", "Extras"}
    assert document["components"]["securitySchemes"]["bearerAuth"]["scheme"] == "bearer"
    paths = document["paths"]
    assert paths["/v1/completions"]["post"]["operationId"] == "create_completion"
    assert paths["/v1/chat/completions"]["post"]["operationId"] == "create_chat_completion"
    assert paths["/v1/models"]["get"]["operationId"] == "list_models"
    assert paths["/extras/tokenize"]["post"]["operationId"] == "tokenize"
    assert paths["/extras/tokenize/count"]["post"]["operationId"] == "count_tokens"
    names = {"CreateCompletionRequest", "CreateChatCompletionResponse", "ModelList", "TokenizeRequest"}
    assert names <= set(document["components"]["schemas"])


def test_what_is_installed(document: dict[str, Any]) -> None:
    features = document["x-jan-local-features"]
    assert "scripted" in features["engine"]
    assert "script" in features["model_formats"]
    assert features["default_settings"]["scripted"]["ctx_len"] == 128
    assert features["privacy"]["no_telemetry"] is True


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document).decode()
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in document["components"]["schemas"]
    assert "$extra" not in text


async def test_every_route_is_in_it_once(in_process: Callable[..., Any]) -> None:
    hidden = {"/docs", "/openapi.json"}
    async with in_process() as (app, client):
        paths = (await client.get("/openapi.json")).json()["paths"]
        described = {(path, method.upper()) for path, item in paths.items() for method in item}
        routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
        real = {(route.path_format, method) for route in routes for method in route.methods} - {
            (route.path_format, "OPTIONS") for route in routes
        }
        assert described <= real
        for path, method in real - described:
            assert path in hidden or (f"/v1{path}", method) in described, path
        ids = [operation["operationId"] for item in paths.values() for operation in item.values()]
        assert len(ids) == len(set(ids))
        for path, item in paths.items():
            for operation in item.values():
                assert operation["summary"]
                assert operation["description"] or not path.startswith("/v1")
                assert {"4XX", "5XX"} <= set(operation["responses"])


def test_schemas_say_what_the_decoder_does(document: dict[str, Any], client: httpx.Client) -> None:
    schema = document["components"]["schemas"]["CreateChatCompletionRequest"]
    assert schema["required"] == ["messages"]
    assert schema["additionalProperties"] is True
    choices = schema["properties"]["top_logprobs"]["anyOf"]
    assert {"type": "integer", "minimum": 0, "maximum": 20} in choices
    for value, status in ((20, 200), (21, 422), (-1, 422)):
        body = {"model": MODEL, "messages": said("count 1"), "logprobs": True, "top_logprobs": value}
        assert client.post("/v1/chat/completions", json=body).status_code == status


def test_parameters_bodies_and_streams(document: dict[str, Any]) -> None:
    paths = document["paths"]
    (which,) = paths["/v1/models"]["get"]["parameters"]
    assert (which["name"], which["in"], which["required"]) == ("filter", "query", False)
    assert which["schema"]["default"] == "all"
    start = paths["/v1/models/{model_id}/start"]["put"]
    assert start["requestBody"]["required"] is False
    assert start["parameters"][0]["in"] == "path"
    chat = paths["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
    assert set(chat) == {"application/json", "text/event-stream"}
    search = paths["/notes/search"]["get"]["parameters"]
    assert [each["name"] for each in search] == ["query", "headers"]
    assert "202" in paths["/v1/models/pull"]["post"]["responses"]


def test_the_page_needs_nobody_else(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page.text)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")

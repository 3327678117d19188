"""The routes of the tokenization plugin through HTTP, and their place in the API's document."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jan_host.api import create_app
from jan_host.config import load_config
from jan_host.host import JanHost

from tests.examples.poem import write_model

SEED = json.loads(Path(__file__).with_name("seed.json").read_text(encoding="utf-8"))
"""The part of Jan's API document that describes these routes."""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path / "models" / "sea"
    folder.mkdir(parents=True)
    write_model(folder)
    async with JanHost(load_config(tmp_path, environ={})) as host:
        transport = httpx.ASGITransport(create_app(host))  # type: ignore[arg-type]  # httpx and litestar type ASGI apps differently
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1337") as client:
            yield client


async def test_the_routes_answer(client: httpx.AsyncClient) -> None:
    body = {"input": "The capital of France is Paris", "model": "sea"}
    tokens = (await client.post("/extras/tokenize", json=body)).json()["tokens"]
    assert len(tokens) == 6
    assert (await client.post("/extras/tokenize/count", json=body)).json() == {"count": 6}
    back = await client.post("/extras/detokenize", json={"tokens": tokens, "model": "sea"})
    assert back.json() == {"text": body["input"]}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/extras/tokenize", {"model": "sea"}, 422, "validation_error"),
        ("/extras/tokenize", {"input": ["a"], "model": "sea"}, 422, "validation_error"),
        ("/extras/tokenize", {"input": "a", "model": "nobody"}, 404, "model_not_found"),
        ("/extras/tokenize/count", {"input": None}, 422, "validation_error"),
        ("/extras/detokenize", {"tokens": [-1], "model": "sea"}, 422, "validation_error"),
        ("/extras/detokenize", {"tokens": [2**31 - 1], "model": "sea"}, 400, "invalid_request"),
    ],
)
async def test_what_is_wrong_is_said(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    response = await client.post(path, json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", SEED["paths"])
async def test_the_document_says_what_jans_own_says(client: httpx.AsyncClient, path: str) -> None:
    document = (await client.get("/openapi.json")).json()
    ours, theirs = document["paths"][path]["post"], SEED["paths"][path]["post"]
    for name in ("tags", "summary", "description", "operationId"):
        assert ours[name] == theirs[name]
    pairs = [
        (ours["requestBody"], theirs["requestBody"]),
        (ours["responses"]["200"], theirs["responses"]["200"]),
    ]
    for our_part, their_part in pairs:
        our_shape, their_shape = (_shape(part, of) for part, of in ((our_part, document), (their_part, SEED)))
        assert our_shape["required"] == their_shape["required"]
        assert set(our_shape["properties"]) == set(their_shape["properties"])


def _shape(part: dict[str, Any], document: dict[str, Any]) -> Any:
    reference = part["content"]["application/json"]["schema"]["$ref"]
    return document["components"]["schemas"][reference.rpartition("/")[2]]

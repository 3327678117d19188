"""The seeds' own model.json files, byte for byte, read over HTTP with the full fields of the seeds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import MODEL

SAMPLES = Path(__file__).parents[1] / "core" / "library" / "seeds"
FULL_FIELDS = {
    *("id", "object", "created", "owned_by", "name", "version", "format", "engine", "description"),
    *("sources", "settings", "parameters", "metadata", "status"),
}
EXPECTED: dict[str, dict[str, Any]] = {
    "model-zephyr-7B": {
        "status": "available",
        "created": 1686935002,
        "owned_by": "TheBloke",
        "format": "gguf",
        "engine": "llama.cpp",
        "origin": "TheBloke/zephyr-7B-beta-GGUF",
        "import_format": "thebloke",
        "sources": [{"filename": "zephyr-7b-beta.Q2_K.gguf"}],
        "parameters": {"temperature": 0.7, "max_tokens": 2048},
    },
    "model-llava-v1.5-ggml": {
        "status": "available",
        "origin": "mys/ggml_llava-v1.5-13b",
        "import_format": "default",
        "engine": "llama.cpp",
    },
    "openai.azure.com/docs-test-001/gpt4-turbo": {
        "status": "remote",
        "owned_by": "OpenAI Azure",
        "engine": "azure_openai",
        "format": "api",
        "origin": "https://docs-test-001.openai.azure.com/",
        "parameters": {
            "temperature": 0.7,
            "max_tokens": 2048,
            "presence_penalty": 0,
            "top_p": 1,
            "stream": True,
        },
    },
    "zephyr-7b": {
        "status": "downloaded",
        "name": "Zephyr 7B",
        "created": 1231231,
        "owned_by": "you",
        "version": "1",
        "description": None,
        "format": "gguf",
        "engine": "llama.cpp",
        "sources": [{"filename": "zephyr-7b-beta.Q4_K_M.gguf"}],
        "metadata": {},
        "assets": [],
    },
}


@pytest.fixture
def with_samples(in_process: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """An app over the samples, each in a folder of its own; of one, the weights are there too."""
    for sample in SAMPLES.glob("*.json"):
        folder = tmp_path / "root" / "models" / sample.stem
        folder.mkdir(parents=True)
        (folder / sample.name).write_bytes(sample.read_bytes())
    (tmp_path / "root" / "models" / "zephyr-7b" / "zephyr-7b-beta.Q4_K_M.gguf").write_bytes(b"GGUF")
    return in_process


async def test_the_samples_in_the_list_and_alone(with_samples: Callable[..., Any]) -> None:
    async with with_samples() as (_, client):
        listed = {model["id"]: model for model in (await client.get("/v1/models")).json()["data"]}
        for model_id, expected in EXPECTED.items():
            assert listed[model_id].keys() >= FULL_FIELDS
            assert {name: listed[model_id][name] for name in expected} == expected
            for path in (model_id, quote(model_id, safe=""), f"/{model_id}"):
                assert (await client.get(f"/v1/models/{path}")).json() == listed[model_id]


async def test_a_model_whose_files_are_not_here_does_not_start(with_samples: Callable[..., Any]) -> None:
    async with with_samples() as (_, client):
        answer = await client.put("/v1/models/model-zephyr-7B/start")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
        assert "jan-host pull model-zephyr-7B" in answer.json()["error"]["message"]


async def test_every_route_with_an_id_takes_its_slashes_in_any_form(in_process: Callable[..., Any]) -> None:
    """Also routes that are added later: they are found in the application."""
    async with in_process() as (app, client):
        routes = sorted(
            (method, route.path_format)
            for route in app.routes
            if "{model_id}" in route.path_format
            for method in route.methods - {"HEAD", "OPTIONS"}
        )
        assert {("GET", "/v1/models/{model_id}"), ("DELETE", "/models/{model_id}")} <= set(routes)
        for written in (MODEL, quote(MODEL, safe=""), f"/{MODEL}", quote(f"/{MODEL}", safe="")):
            for method, path in routes:
                if method == "GET":
                    answer = await client.get(path.replace("{model_id}", written))
                    assert (answer.status_code, answer.json()["id"]) == (200, MODEL)
                nobody = written.replace("one", "none")
                answer = await client.request(method, path.replace("{model_id}", nobody), json={})
                assert answer.json()["error"]["code"] == "model_not_found", (method, path)
                assert "scripted/none" in answer.json()["error"]["message"]


@pytest.mark.parametrize("written", [MODEL, f"/{MODEL}"])
async def test_ids_in_bodies(in_process: Callable[..., Any], written: str) -> None:
    async with in_process() as (_, client):
        body = {"model": written, "messages": [{"role": "user", "content": "count 2"}]}
        answer = await client.post("/v1/chat/completions", json=body)
        assert (
            answer.json()["error"]["code"] != "model_not_found" if answer.is_error else answer.json()["model"]
        )

"""Embeddings and rerank."""

import base64
import struct

import httpx
import pytest

from tests.api.conftest import MODEL


def test_embeddings_of_several_texts(client: httpx.Client) -> None:
    answer = client.post("/v1/embeddings", json={"model": MODEL, "input": ["a", "bcd"]}).json()
    assert answer == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 0.25, -1.5]},
            {"object": "embedding", "index": 1, "embedding": [3.0, 0.25, -1.5]},
        ],
        "model": MODEL,
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


@pytest.mark.parametrize("given", ["text", [7], [[1, 2], [3]], ["x"]])
def test_every_form_of_input_and_base64(client: httpx.Client, given: object) -> None:
    body = {"model": MODEL, "input": given, "encoding_format": "base64"}
    data = client.post("/v1/embeddings", json=body).json()["data"]
    numbers = struct.unpack("<3f", base64.b64decode(data[0]["embedding"]))
    assert numbers[1:] == (0.25, -1.5)


def test_an_engine_that_gives_too_many_vectors_is_found_out(client: httpx.Client) -> None:
    # The scripted engine wrongly takes one text of three tokens for three texts.
    answer = client.post("/v1/embeddings", json={"model": MODEL, "input": [1, 2, 3]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "engine_error")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("embeddings", {"input": ["a"] * 2049}, "input"),
        ("embeddings", {"input": [[1]] * 2049}, "input"),
        ("rerank", {"query": "a", "documents": ["a"] * 2049}, "documents"),
        ("rerank", {"query": "a", "texts": ["a"] * 2049}, "texts"),
    ],
)
def test_more_texts_than_an_answer_could_hold_are_refused_before_any_work(
    client: httpx.Client, path: str, body: dict[str, object], param: str
) -> None:
    answer = client.post(f"/v1/{path}", json={"model": MODEL, **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert f"2049 texts in {param}; 2048 are the most" in error["message"]


def test_one_text_of_many_tokens_is_one_text(client: httpx.Client) -> None:
    answer = client.post("/v1/embeddings", json={"model": MODEL, "input": [[7] * 5000]})
    assert len(answer.json()["data"]) == 1


def test_rerank_sorts_and_cuts(client: httpx.Client) -> None:
    body = {
        "model": MODEL,
        "query": "sea",
        "documents": ["the sky", "sea and sea", {"text": "one sea"}],
        "top_n": 2,
        "return_documents": True,
    }
    answer = client.post("/v1/rerank", json=body).json()
    assert answer["results"] == [
        {"index": 1, "relevance_score": 2.0, "document": {"text": "sea and sea"}},
        {"index": 2, "relevance_score": 1.0, "document": {"text": "one sea"}},
    ]
    assert answer["model"] == MODEL
    assert answer["id"].startswith("rerank-")


def test_rerank_leaves_documents_out(client: httpx.Client) -> None:
    body = {"model": MODEL, "query": "sea", "documents": ["sea"]}
    assert client.post("/v1/rerank", json=body).json()["results"] == [{"index": 0, "relevance_score": 1.0}]


def test_texts_are_scored_as_text_embeddings_inference_does(client: httpx.Client) -> None:
    body = {"model": MODEL, "query": "sea", "texts": ["the sky", "sea and sea", "one sea"]}
    plain = client.post("/rerank", json=body).json()
    told = client.post("/v1/rerank", json={**body, "return_text": True, "top_n": 1}).json()

    assert plain == [{"index": 1, "score": 2.0}, {"index": 2, "score": 1.0}, {"index": 0, "score": 0.0}]
    assert told == [{"index": 1, "score": 2.0, "text": "sea and sea"}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": None}, "documents"),
        ({"texts": []}, "texts"),
        ({"texts": [1]}, "texts[0]"),
        ({"texts": ["a"], "documents": ["a"]}, "texts"),
    ],
)
def test_a_rerank_needs_texts_under_one_name(
    client: httpx.Client, fields: dict[str, object], param: str
) -> None:
    answer = client.post("/v1/rerank", json={"model": MODEL, "query": "sea", **fields})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)

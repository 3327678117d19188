"""GGUF models behind a real server, through OpenAI's client: log probabilities, vectors, scores."""

import base64
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.plugins.llamacpp.berts import write_bert
from tests.plugins.onnx.encoders import vocabulary
from tests.plugins.onnx.encoders.bert import Shape, random_weights

SECONDS = 120
TEXT = "The capital of France is"


@pytest.fixture(scope="module")
def url(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a model that chats and embeds, an embedding model and a reranker."""
    root = tmp_path_factory.mktemp("root")
    models = root / "models"
    for name in ("chat", "vectors", "ranks"):
        (models / name).mkdir(parents=True)
    shutil.copyfile(smollm2, models / "chat" / "chat.gguf")
    settings = {"ctx_len": 256, "n_parallel": 2, "embedding": True}
    document = {"id": "chat", "format": "gguf", "sources": [{"filename": "chat.gguf"}], "settings": settings}
    (models / "chat" / "model.json").write_text(json.dumps(document))
    pieces = vocabulary.build().get_vocab()
    shape = Shape(vocabulary=len(pieces))
    write_bert(models / "vectors" / "vectors.gguf", shape, random_weights(shape), pieces)
    scoring = random_weights(shape, classes=1)
    write_bert(models / "ranks" / "ranks.gguf", shape, scoring, pieces, pooling=4, head=True)
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with serving(command, environment(), root) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    """OpenAI's client for that server."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=SECONDS) as client:
        yield client


def _rank(url: str, model: str) -> httpx.Response:
    body = {"model": model, "query": "cat", "documents": ["the cat sat", "rates rose"], "top_n": 1}
    return httpx.post(f"{url}/v1/rerank", json=body, timeout=SECONDS, trust_env=False)


def test_a_prompt_is_scored(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": "chat", "prompt": TEXT, "temperature": 0, "echo": True, "logprobs": 2}
    choice = client.completions.create(max_tokens=1, **options).choices[0]
    pieces = [chunk.choices[0] for chunk in client.completions.create(max_tokens=1, stream=True, **options)]

    told = choice.logprobs
    assert told is not None
    assert told.tokens is not None
    assert "".join(told.tokens) == choice.text == TEXT + " Paris"
    assert told.text_offset == [sum(map(len, told.tokens[:place])) for place in range(len(told.tokens))]
    assert [value is None for value in told.token_logprobs or ()] == [True] + [False] * 5
    assert [value is None for value in told.top_logprobs or ()] == [True] + [False] * 5
    assert "".join(piece.text for piece in pieces) == choice.text
    streamed = [offset for piece in pieces if piece.logprobs for offset in piece.logprobs.text_offset or ()]
    assert streamed == told.text_offset


def test_parts_of_characters_have_names_of_their_own(client: openai.OpenAI) -> None:
    prompt = "Repeat: 🦜🌍🎉 🦜🌍🎉"
    done = client.completions.create(model="chat", prompt=prompt, max_tokens=0, echo=True, logprobs=1)
    told = done.choices[0].logprobs

    assert told is not None
    assert any(token.startswith("bytes:\\x") for token in told.tokens or ())
    assert max(told.text_offset or ()) < len(prompt)
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (len(told.tokens or ()), 0)


def test_an_answer_is_told_token_by_token(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": "What is the capital of France? Answer in one sentence."}],
        temperature=0,
        logprobs=True,
        top_logprobs=3,
        n=2,
    )

    for choice in answer.choices:
        assert choice.logprobs is not None
        told = choice.logprobs.content or []
        assert "".join(token.token for token in told) == choice.message.content
        assert all(len(token.top_logprobs) == 3 for token in told)


@pytest.mark.parametrize(("model", "width"), [("chat", 576), ("vectors", 32)])
def test_vectors_as_numbers_and_as_base64(client: openai.OpenAI, model: str, width: int) -> None:
    texts = ["the cat sat on the mat", "rates rose"]
    plain = client.embeddings.create(model=model, input=texts, encoding_format="float")
    packed: Any = client.embeddings.create(model=model, input=texts, encoding_format="base64")

    assert [len(item.embedding) for item in plain.data] == [width] * 2
    for item, other in zip(plain.data, packed.data, strict=True):
        raw = other.embedding
        found = np.frombuffer(base64.b64decode(raw), "<f4") if isinstance(raw, str) else raw
        np.testing.assert_allclose(found, item.embedding, atol=1e-4)
    assert plain.usage.prompt_tokens == plain.usage.total_tokens > 0


def test_documents_are_ranked(url: str) -> None:
    answer = _rank(url, "ranks").json()

    assert len(answer["results"]) == 1
    assert 0 <= answer["results"][0]["relevance_score"] <= 1


@pytest.mark.parametrize("model", ["chat", "vectors"])
def test_a_model_that_can_not_rank_says_what_it_can(url: str, model: str) -> None:
    answer = _rank(url, model)

    assert answer.status_code == 400
    assert "embed" in answer.json()["error"]["message"]


def test_the_models_say_what_they_can_do_and_no_setting_is_unknown(url: str) -> None:
    for model, capabilities in {
        "chat": ["chat", "complete", "embed", "tokenize"],
        "vectors": ["embed", "tokenize"],
        "ranks": ["rerank", "tokenize"],
    }.items():
        httpx.put(f"{url}/v1/models/{model}/start", timeout=SECONDS, trust_env=False).raise_for_status()
        told = httpx.get(f"{url}/v1/models/{model}", timeout=SECONDS, trust_env=False).json()
        assert told["capabilities"] == capabilities
        assert not told.get("warnings")

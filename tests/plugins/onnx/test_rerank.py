"""Rerankers: scores of documents against a query."""

import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from jan_host import (
    ContextLengthExceededError,
    InvalidRequestError,
    ModelLoadError,
    RerankRequest,
    Reranks,
)

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.plugins.onnx.encoders.folders import Small, load, write_small
from tests.plugins.onnx.encoders.reference import logits

QUERY = "which animal sat on the mat"
DOCUMENTS = [
    "the cat sat on the mat",
    "interest rates rose",
    "a",
    "the quick brown fox jumps over the lazy dog",
]


def _logits(small: Small, document: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    pair = small.tokenizer.encode(QUERY, document)
    return logits(small.weights, small.shape, pair.ids, pair.type_ids)


async def _scores(small: Small, **settings: Any) -> list[float]:
    model = await load(small.model, small.folder, **settings)
    assert isinstance(model, Reranks)
    result = await model.rerank(RerankRequest(query=QUERY, documents=[*DOCUMENTS]))
    await model.unload()
    assert result.usage.prompt_tokens == sum(len(small.tokenizer.encode(QUERY, one).ids) for one in DOCUMENTS)
    return result.scores


async def test_one_number_becomes_a_relevance_by_the_sigmoid(tmp_path: Path) -> None:
    small = write_small(tmp_path, classes=1)
    expected = [1 / (1 + np.exp(-_logits(small, document)[0])) for document in DOCUMENTS]
    assert await _scores(small) == pytest.approx(expected, abs=1e-5)


async def test_two_numbers_become_a_relevance_by_the_softmax(tmp_path: Path) -> None:
    small = write_small(tmp_path, classes=2)
    parts = [np.exp(_logits(small, document)) for document in DOCUMENTS]
    assert await _scores(small) == pytest.approx([part[1] / part.sum() for part in parts], abs=1e-5)


async def test_raw_numbers_on_demand(tmp_path: Path) -> None:
    small = write_small(tmp_path, classes=1)
    expected = [_logits(small, document)[0] for document in DOCUMENTS]
    assert await _scores(small, score="raw") == pytest.approx(expected, abs=1e-4)


async def test_a_classifier_of_more_classes_is_no_reranker(tmp_path: Path) -> None:
    small = write_small(tmp_path, classes=3)
    with pytest.raises(ModelLoadError, match="3 classes"):
        await _scores(small)


async def test_a_long_pair_is_refused_or_cut(tmp_path: Path) -> None:
    small = write_small(tmp_path, classes=1)
    model = await load(small.model, tmp_path, ctx_len=12)
    assert isinstance(model, Reranks)
    request = RerankRequest(
        query="a cat", documents=["a dog", "the cat sat on the mat and the dog ran through"]
    )
    with pytest.raises(ContextLengthExceededError, match=r"document 1 has 16 tokens, .* reads 12") as caught:
        await model.rerank(request)
    assert caught.value.param == "documents[1]"
    request.truncate = True
    cut = (await model.rerank(request)).scores[1]
    pair = small.tokenizer.encode("a cat", "the cat sat on the mat and")
    expected = logits(small.weights, small.shape, pair.ids, pair.type_ids)[0]
    assert cut == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-5)
    await model.unload()


async def test_a_document_without_text_is_named(tmp_path: Path) -> None:
    small = write_small(tmp_path, classes=1)
    model = await load(small.model, tmp_path)
    assert isinstance(model, Reranks)
    with pytest.raises(InvalidRequestError, match="Document 1 has no field text") as caught:
        await model.rerank(RerankRequest(query=QUERY, documents=["a", {"title": "b"}]))
    assert caught.value.param == "documents[1].text"
    await model.unload()


def test_a_reranker_that_is_dropped_into_the_folder_answers_over_http(tmp_path: Path) -> None:
    small = write_small(tmp_path / "models" / "judge", classes=1)
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(tmp_path)]
    with serving(command, environment(), tmp_path) as url:
        body = {
            "model": "judge",
            "query": QUERY,
            "documents": DOCUMENTS,
            "top_n": 2,
            "return_documents": True,
        }
        answer = httpx.post(f"{url}/v1/rerank", json=body, timeout=60, trust_env=False).json()
    expected = {index: _logits(small, document)[0] for index, document in enumerate(DOCUMENTS)}
    best = sorted(expected, key=lambda index: -expected[index])[:2]
    assert [item["index"] for item in answer["results"]] == best
    assert answer["results"][0]["document"] == {"text": DOCUMENTS[best[0]]}
    assert answer["results"][0]["relevance_score"] == pytest.approx(
        1 / (1 + np.exp(-expected[best[0]])), abs=1e-5
    )

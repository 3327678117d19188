"""Checks of embeddings and rerank."""

import asyncio
import math
from collections.abc import Sequence

import pytest

from jan_host.contract.completion import Prompts
from jan_host.contract.engine import Embeds, Reranks
from jan_host.contract.errors import InvalidRequestError
from jan_host.contract.generation import Usage
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult, RerankRequest, RerankResult
from jan_host.testing.fixtures import EngineFixtures, require
from jan_host.testing.generation import Live
from jan_host.testing.running import Run

TEXTS = (
    "The cat sat on the mat.",
    "Der Hund lief durch den Wald, bis es dunkel wurde und niemand mehr zu sehen war.",
    "x",
    "Interest rates rose by a quarter of a point. " * 8,
    "👍🏽 今天天气怎么样?",
)
_SAME = 0.9999
"""The cosine above which two vectors are one, rounding apart."""


class EmbedChecks(EngineFixtures):
    """Vectors of texts."""

    @pytest.fixture
    @classmethod
    def embedder(cls, live: Live) -> Embeds:
        """The live model."""
        require("embed", live)
        assert isinstance(live.loaded, Embeds)
        return live.loaded

    def test_one_vector_for_each_text(self, run: Run, embedder: Embeds) -> None:
        vectors = run(_embed(embedder, list(TEXTS))).embeddings
        assert len(vectors) == len(TEXTS), f"{len(vectors)} vectors for {len(TEXTS)} texts"
        assert len({len(vector) for vector in vectors}) == 1, "all vectors are of one length"
        assert all(math.isfinite(value) for vector in vectors for value in vector), "a value is not finite"
        assert any(vectors[0]), "the vector of a sentence is not zero"
        assert _cosine(vectors[0], vectors[1]) < _SAME, "different texts have the same vector"

    def test_a_single_text_is_a_list_of_one(self, run: Run, embedder: Embeds) -> None:
        assert len(run(_embed(embedder, TEXTS[0])).embeddings) == 1

    def test_a_vector_does_not_depend_on_its_neighbours(self, run: Run, embedder: Embeds) -> None:
        together = run(_embed(embedder, list(TEXTS))).embeddings
        for text, vector in zip(TEXTS, together, strict=True):
            cosine = _cosine(run(_embed(embedder, text)).embeddings[0], vector)
            assert cosine >= _SAME, f"{text!r} alone and among others: cosine {cosine}"

    def test_requests_at_once_do_not_mix(self, run: Run, embedder: Embeds) -> None:
        async def at_once() -> list[EmbeddingResult]:
            return await asyncio.gather(*[_embed(embedder, text) for text in TEXTS])

        for text, result in zip(TEXTS, run(at_once()), strict=True):
            assert _cosine(run(_embed(embedder, text)).embeddings[0], result.embeddings[0]) >= _SAME, text

    def test_dimensions_are_honoured_or_refused(self, run: Run, embedder: Embeds) -> None:
        full = len(run(_embed(embedder, TEXTS[0])).embeddings[0])
        wanted = max(1, full // 2)
        try:
            result = run(embedder.embed(EmbeddingRequest(input=TEXTS[0], dimensions=wanted)))
        except InvalidRequestError as error:
            pytest.skip(f"dimensions: {error}")
        assert len(result.embeddings[0]) == wanted

    @pytest.mark.parametrize("text", ["", " ", "a\x00b", "<|im_end|>"])
    def test_an_odd_text_is_embedded_or_refused(self, run: Run, embedder: Embeds, text: str) -> None:
        try:
            vector = run(_embed(embedder, text)).embeddings[0]
        except InvalidRequestError as error:
            pytest.skip(f"{text!r}: {error}")
        assert all(math.isfinite(value) for value in vector), vector

    def test_token_ids_that_are_not_there_are_refused(self, run: Run, embedder: Embeds) -> None:
        with pytest.raises(InvalidRequestError):
            run(_embed(embedder, [[1, 2**31 - 1]]))


class RerankChecks(EngineFixtures):
    """Scores of documents."""

    @pytest.fixture
    @classmethod
    def reranker(cls, live: Live) -> Reranks:
        """The live model."""
        require("rerank", live)
        assert isinstance(live.loaded, Reranks)
        return live.loaded

    def test_one_score_for_each_document(self, run: Run, reranker: Reranks) -> None:
        scores = run(_rerank(reranker, TEXTS)).scores
        assert len(scores) == len(TEXTS), f"{len(scores)} scores for {len(TEXTS)} documents"
        assert all(math.isfinite(score) for score in scores), scores

    def test_a_score_does_not_depend_on_the_order(self, run: Run, reranker: Reranks) -> None:
        forward = run(_rerank(reranker, TEXTS)).scores
        backward = run(_rerank(reranker, TEXTS[::-1])).scores
        assert forward == pytest.approx(backward[::-1], abs=1e-3)

    def test_a_document_may_be_an_object_with_text(self, run: Run, reranker: Reranks) -> None:
        plain = run(_rerank(reranker, TEXTS)).scores
        objects = RerankRequest(query="cat", documents=[{"text": text} for text in TEXTS])
        assert run(reranker.rerank(objects)).scores == pytest.approx(plain, abs=1e-3)


async def _embed(model: Embeds, texts: Prompts) -> EmbeddingResult:
    result = await model.embed(EmbeddingRequest(input=texts))
    _check_usage(result.usage)
    return result


async def _rerank(model: Reranks, documents: Sequence[str]) -> RerankResult:
    result = await model.rerank(RerankRequest(query="cat", documents=[*documents]))
    _check_usage(result.usage)
    return result


def _check_usage(usage: Usage) -> None:
    assert usage.prompt_tokens >= 0, usage
    assert usage.completion_tokens == 0, f"nothing was generated: {usage}"
    assert usage.total_tokens == usage.prompt_tokens, usage


def _cosine(first: Sequence[float], second: Sequence[float]) -> float:
    assert len(first) == len(second), f"vectors of {len(first)} and {len(second)} values"
    lengths = math.hypot(*first) * math.hypot(*second)
    return (
        sum(a * b for a, b in zip(first, second, strict=True)) / lengths
        if lengths
        else float(first == second)
    )

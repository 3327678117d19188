"""Rerank: scores next to the weights that give them."""

from pathlib import Path

import numpy as np
import pytest
from jan_host import ContextLengthExceededError, InvalidRequestError, RerankRequest, capabilities_of
from jan_host_llamacpp.embedding.models import RerankModel

from tests.plugins.llamacpp.berts import write_bert
from tests.plugins.llamacpp.test_vectors import load
from tests.plugins.onnx.encoders import vocabulary
from tests.plugins.onnx.encoders.bert import Shape, random_weights
from tests.plugins.onnx.encoders.reference import logits

RANK = 4
QUERY = "what animal sat"
DOCUMENTS = ["the cat sat on the mat", "interest rates rose", "a dog ran through the wood", "x"]


@pytest.fixture(scope="module")
def shape() -> Shape:
    """The sizes of the model."""
    return Shape(vocabulary=vocabulary.build().get_vocab_size())


@pytest.fixture(scope="module")
def ranker(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder that says nothing sensible, and always the same."""
    path = tmp_path_factory.mktemp("ranker") / "ranker.gguf"
    weights = random_weights(shape, classes=1)
    return write_bert(path, shape, weights, vocabulary.build().get_vocab(), pooling=RANK, head=True)


async def _load(path: Path) -> RerankModel:
    loaded = await load(path)
    assert isinstance(loaded, RerankModel)
    return loaded


async def test_scores_are_those_of_the_weights(ranker: Path, shape: Shape) -> None:
    model = await _load(ranker)
    result = await model.rerank(RerankRequest(query=QUERY, documents=[*DOCUMENTS]))
    pieces = vocabulary.build().get_vocab()
    query = await model.tokenize(QUERY)
    pairs = [
        [pieces["[CLS]"], *query, pieces["[SEP]"], *await model.tokenize(document), pieces["[SEP]"]]
        for document in DOCUMENTS
    ]
    offers = capabilities_of(model)
    await model.unload()

    weights = random_weights(shape, classes=1)
    wanted = [float(logits(weights, shape, pair, [0] * len(pair))[0]) for pair in pairs]
    assert offers == ["rerank", "tokenize"]
    assert result.scores == pytest.approx([1 / (1 + np.exp(-score)) for score in wanted], abs=0.01)
    assert result.usage.prompt_tokens == sum(map(len, pairs))


async def test_a_score_is_the_same_alone_and_among_others(ranker: Path) -> None:
    model = await _load(ranker)
    together = await model.rerank(RerankRequest(query=QUERY, documents=[*DOCUMENTS]))
    alone = [
        (await model.rerank(RerankRequest(query=QUERY, documents=[{"text": document}]))).scores[0]
        for document in DOCUMENTS
    ]
    await model.unload()

    assert together.scores == pytest.approx(alone, abs=1e-4)


async def test_a_pair_that_is_too_long_is_refused_or_its_document_cut(ranker: Path) -> None:
    model = await _load(ranker)
    long = "cat " * 600
    with pytest.raises(ContextLengthExceededError, match=r"document 1 has \d+ tok.* 512 at most") as caught:
        await model.rerank(RerankRequest(query=QUERY, documents=["x", long]))
    cut = await model.rerank(RerankRequest(query=QUERY, documents=[long], truncate=True))
    with pytest.raises(ContextLengthExceededError):
        await model.rerank(RerankRequest(query=long, documents=["x"], truncate=True))
    with pytest.raises(InvalidRequestError, match="no field text"):
        await model.rerank(RerankRequest(query=QUERY, documents=[{"title": "x"}]))
    await model.unload()

    assert caught.value.param == "documents[1]"
    assert cut.usage.prompt_tokens == 512

"""Embeddings: real vectors next to their weights, the same in any company; what can't be read is told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import pytest_asyncio
from jan_host import (
    ContextLengthExceededError,
    EmbeddingRequest,
    Embeds,
    InvalidRequestError,
    LoadedModel,
    Model,
    ModelLoadError,
    Source,
    Tokenizes,
    TooManyRequestsError,
    capabilities_of,
)
from jan_host_llamacpp.embedding.models import ChatEmbeddingModel, EmbeddingModel
from jan_host_llamacpp.engine import LlamaCpp
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tests.plugins.llamacpp.berts import write_bert
from tests.plugins.llamacpp.talking import CAPITAL, chat, collect
from tests.plugins.onnx.encoders import vocabulary
from tests.plugins.onnx.encoders.bert import MINILM, Shape, random_weights
from tests.plugins.onnx.encoders.reference import Floats, cosine, hidden_states, unit

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAME = 0.9999
TEXTS = [
    "A man is eating food.",
    "Someone is having a meal.",
    "The stock market fell sharply on Monday.",
    "Die Katze sitzt auf der Matte, und draußen regnet es.",
    "def f(x): return x ** 2  # a function",
    "x",
    "Interest rates rose by a quarter of a point. " * 12,
]


async def load(path: Path, **settings: Any) -> LoadedModel:
    """The model at `path`, as a host would load it."""
    engine = LlamaCpp()
    model = Model(id="m", format="gguf", sources=[Source(filename=path.name)])
    return await engine.load(
        model, path.parent, msgspec.convert(settings, engine.Settings, strict=False), lambda _: None
    )


async def vectors(model: LoadedModel, texts: Any, **options: Any) -> list[list[float]]:
    """The vectors of some texts."""
    assert isinstance(model, Embeds)
    return (await model.embed(EmbeddingRequest(input=texts, **options))).embeddings


@pytest.fixture(scope="module")
def wordpiece(minilm: Path) -> Tokenizer:
    """The published tokenizer, neither cutting nor filling."""
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.fixture(scope="module")
def published(minilm: Path, wordpiece: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The published weights in a GGUF file."""
    weights = load_file(minilm / "model.safetensors")
    floats = {name: value for name, value in weights.items() if value.dtype == np.float32}
    path = tmp_path_factory.mktemp("minilm") / "minilm.gguf"
    yield write_bert(path, MINILM, floats, wordpiece.get_vocab())
    path.unlink()


@pytest.fixture(scope="module")
def reference(minilm: Path, wordpiece: Tokenizer) -> list[Floats]:
    """The vectors by the published weights, in numpy."""
    weights = load_file(minilm / "model.safetensors")
    floats = {name: value for name, value in weights.items() if value.dtype == np.float32}
    return [unit(hidden_states(floats, MINILM, wordpiece.encode(text).ids).mean(axis=0)) for text in TEXTS]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def minilm_model(published: Path) -> AsyncIterator[EmbeddingModel]:
    """all-MiniLM-L6-v2 in 32 bits."""
    loaded = await load(published)
    assert isinstance(loaded, EmbeddingModel)
    yield loaded
    await loaded.unload()


async def test_vectors_are_those_of_the_weights(
    minilm_model: EmbeddingModel, reference: list[Floats]
) -> None:
    found = await vectors(minilm_model, TEXTS)

    cosines = [cosine(*pair) for pair in zip(found, reference, strict=True)]
    assert min(cosines) > SAME, cosines
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


async def test_tokens_are_those_of_the_published_tokenizer(
    minilm_model: EmbeddingModel, wordpiece: Tokenizer
) -> None:
    for text in TEXTS:
        ids = wordpiece.encode(text).ids
        assert await minilm_model.tokenize(text) == ids[1:-1]
        result = await minilm_model.embed(EmbeddingRequest(input=text))
        assert result.usage.prompt_tokens == result.usage.total_tokens == len(ids)


async def test_it_embeds_and_does_not_chat(minilm_model: EmbeddingModel) -> None:
    assert capabilities_of(minilm_model) == ["embed", "tokenize"]


async def test_a_vector_is_the_same_alone_and_among_the_texts_of_others(
    minilm_model: EmbeddingModel,
) -> None:
    alone = [(await vectors(minilm_model, text))[0] for text in TEXTS]
    together = await vectors(minilm_model, TEXTS)
    at_once = await asyncio.gather(*(vectors(minilm_model, text) for text in TEXTS * 4))

    for number, vector in enumerate(alone):
        assert cosine(vector, together[number]) >= SAME
        assert all(cosine(vector, one[0]) >= SAME for one in at_once[number :: len(TEXTS)])


async def test_token_ids_are_read_as_the_text_is(minilm_model: EmbeddingModel) -> None:
    bare = await minilm_model.tokenize(TEXTS[0])
    whole = [101, *bare, 102]  # [CLS] and [SEP]
    first, second = await vectors(minilm_model, [bare, whole])

    assert cosine(first, second) >= SAME
    assert cosine(first, (await vectors(minilm_model, TEXTS[0]))[0]) >= SAME


async def test_control_tokens_that_are_typed_stay_text(minilm_model: EmbeddingModel) -> None:
    assert not {101, 102} & set(await minilm_model.tokenize("eating [SEP] food [CLS]"))


async def test_vectors_can_be_cut(minilm_model: EmbeddingModel) -> None:
    whole = np.array((await vectors(minilm_model, TEXTS[0]))[0])
    short = (await vectors(minilm_model, TEXTS[0], dimensions=64))[0]

    assert len(short) == 64
    assert cosine(short, whole[:64]) >= SAME
    assert np.linalg.norm(short) == pytest.approx(1, abs=1e-5)
    with pytest.raises(InvalidRequestError, match=r"385.* 384") as caught:
        await vectors(minilm_model, TEXTS[0], dimensions=385)
    assert caught.value.param == "dimensions"


async def test_a_text_that_is_too_long_is_refused_or_cut(minilm_model: EmbeddingModel) -> None:
    with pytest.raises(ContextLengthExceededError, match=r"Input 1 has 602 tokens.* 512 at most") as caught:
        await vectors(minilm_model, ["x", "word " * 600])
    assert caught.value.param == "input[1]"
    request = EmbeddingRequest(input="word " * 600, truncate=True)
    result = await minilm_model.embed(request)

    assert result.usage.prompt_tokens == 512
    assert cosine(result.embeddings[0], (await vectors(minilm_model, "word " * 510))[0]) >= SAME


@pytest.mark.parametrize("token", [30522, 2**31 - 1])
async def test_an_id_outside_the_vocabulary_is_refused(minilm_model: EmbeddingModel, token: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"{token} is not a token id"):
        await vectors(minilm_model, [[101, token]])


async def test_a_request_that_goes_away_costs_the_others_nothing(minilm_model: EmbeddingModel) -> None:
    gone = [asyncio.create_task(vectors(minilm_model, [TEXTS[6]] * 40)) for _ in range(3)]
    staying = asyncio.create_task(vectors(minilm_model, TEXTS[0]))
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    results = await asyncio.gather(*gone, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert cosine((await staying)[0], (await vectors(minilm_model, TEXTS[0]))[0]) >= SAME


# Small models with random weights.


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose file says nothing of pooling."""
    pieces = vocabulary.build().get_vocab()
    shape = Shape(vocabulary=len(pieces))
    path = tmp_path_factory.mktemp("small") / "small.gguf"
    return write_bert(path, shape, random_weights(shape), pieces, pooling=None)


@pytest.mark.parametrize("pooling", [None, "mean", "cls", "last"])
async def test_every_pooling_is_what_its_name_says(small: Path, pooling: str | None) -> None:
    settings = {"pooling": pooling} if pooling else {}
    model = await load(small, normalize=False, **settings)
    assert isinstance(model, Tokenizes)
    pieces = vocabulary.build().get_vocab()
    ids = [pieces["[CLS]"], *await model.tokenize("the cat sat"), pieces["[SEP]"]]
    found = (await vectors(model, "the cat sat"))[0]
    await model.unload()

    shape = Shape(vocabulary=len(pieces))
    states = hidden_states(random_weights(shape), shape, ids)
    wanted = {"cls": states[0], "last": states[-1]}.get(pooling or "mean", states.mean(axis=0))
    np.testing.assert_allclose(found, wanted, rtol=0.02, atol=0.02)


async def test_more_texts_than_may_wait_are_refused(small: Path) -> None:
    model = await load(small, max_queue=2)
    results = await asyncio.gather(
        *(vectors(model, ["a", "b", "c"]) for _ in range(4)), return_exceptions=True
    )
    await model.unload()

    assert any(isinstance(result, list) for result in results)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert refused
    assert all(isinstance(error, TooManyRequestsError) for error in refused)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ctx_len": 513}, "positions for 512"),
        ({"pooling": "rank"}, "no head that gives scores"),
    ],
)
async def test_what_an_encoder_can_not_do_is_told_at_load(
    small: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelLoadError, match=message):
        await load(small, **settings)


async def test_ctx_len_is_the_longest_text(small: Path) -> None:
    model = await load(small, ctx_len=8)
    with pytest.raises(ContextLengthExceededError, match="8 at most"):
        await vectors(model, "the cat sat on the mat until it was dark")
    await model.unload()


async def test_a_model_that_chats_embeds_too_where_its_settings_say_so(smollm2: Path) -> None:
    plain = await load(smollm2, ctx_len=128, n_parallel=1)
    model = await load(smollm2, ctx_len=128, n_parallel=1, embedding=True)
    assert isinstance(model, ChatEmbeddingModel)
    answering = asyncio.create_task(collect(model.chat(chat(CAPITAL))))
    texts = ["The river runs to the sea.", "A stream flows into the ocean.", "def main(): return 0"]
    at_once = await asyncio.gather(*(vectors(model, text) for text in texts))
    together = await vectors(model, texts)
    answer = await answering
    with pytest.raises(ContextLengthExceededError, match="128 at most"):
        await vectors(model, "word " * 200)
    with pytest.raises(InvalidRequestError, match="empty"):
        await vectors(model, "")
    offers = capabilities_of(plain), capabilities_of(model)
    await plain.unload()
    await model.unload()

    assert offers == (["chat", "complete", "tokenize"], ["chat", "complete", "embed", "tokenize"])
    assert answer.text == "The capital of France is Paris."
    assert all(cosine(one[0], other) >= SAME for one, other in zip(at_once, together, strict=True))
    assert cosine(together[0], together[1]) > cosine(together[0], together[2])


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
async def test_a_text_of_more_tokens_than_a_batch_is_read_in_pieces(smollm2: Path, pooling: str) -> None:
    text = "The river runs to the sea, and the sea is full of fish that nobody has seen. " * 6
    found = []
    for size in (16, 512):
        model = await load(smollm2, ctx_len=256, embedding=True, pooling=pooling, n_batch=size, n_parallel=1)
        found += await vectors(model, text)
        await model.unload()

    assert cosine(found[0], found[1]) >= SAME

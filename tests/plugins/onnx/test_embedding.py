"""Embedding models in the layouts that hubs use: vectors, pooling, prompts, limits."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from jan_host import (
    ContextLengthExceededError,
    EmbeddingRequest,
    Embeds,
    InvalidRequestError,
    LoadedModel,
    ModelLoadError,
    SharesCores,
    Tokenizes,
    TooManyRequestsError,
)
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

from tests.plugins.onnx.decoder.writer import GraphWriter
from tests.plugins.onnx.encoders.folders import Small, load, model_of, write_small
from tests.plugins.onnx.encoders.reference import cosine, hidden_states, unit

TEXTS = [
    "the cat sat on the mat",
    "a dog",
    "interest rates rose by a quarter of a point",
    "x",
    "lazy fox, lazy dog!",
]
Vectors = npt.NDArray[np.float64]
_POOLS: Mapping[str, Callable[[Vectors], Vectors]] = {
    "mean": lambda tokens: tokens.mean(axis=0),
    "cls": lambda tokens: tokens[0],
    "last": lambda tokens: tokens[-1],
    "max": lambda tokens: tokens.max(axis=0),
}


async def _embed(model: LoadedModel, texts: Any, **options: Any) -> Vectors:
    assert isinstance(model, Embeds)
    request = msgspec.convert({"input": texts, **options}, EmbeddingRequest)
    return np.array((await model.embed(request)).embeddings)


def _expected(small: Small, text: str, pooling: str = "mean") -> Vectors:
    ids = small.tokenizer.encode(text).ids
    return unit(_POOLS[pooling](hidden_states(small.weights, small.shape, ids)))


def _sentence(pooling: str | None = None, *steps: str) -> dict[str, Any]:
    """The files of sentence-transformers; no pooling: no such step."""
    names = ["Transformer", *(["Pooling"] if pooling else []), *steps]
    modules = [
        {
            "idx": index,
            "path": "" if index == 0 else f"{index}_{name}",
            "type": f"sentence_transformers.models.{name}",
        }
        for index, name in enumerate(names)
    ]
    modes = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken", "max": "max_tokens"}
    config = {f"pooling_mode_{mode}": name == pooling for name, mode in modes.items()}
    return {"modules.json": modules, "1_Pooling/config.json": config}


@pytest.mark.parametrize("pooling", _POOLS)
async def test_sentence_transformers_files_tell_the_pooling(tmp_path: Path, pooling: str) -> None:
    small = write_small(tmp_path, graph="onnx/model.onnx", documents=_sentence(pooling, "Normalize"))
    model = await load(small.model, tmp_path)
    vectors = await _embed(model, TEXTS)
    await model.unload()
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(vector, _expected(small, text, pooling), atol=1e-5)


async def test_vectors_stay_the_same_while_cores_come_and_go(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path, cpu_threads=2)
    assert isinstance(model, SharesCores)
    calm = await _embed(model, TEXTS)
    for cores in (1, None, 2):
        answers = [asyncio.ensure_future(_embed(model, text)) for text in TEXTS]
        await asyncio.sleep(0)
        model.use_cores(cores)
        found = np.concatenate(await asyncio.gather(*answers))
        assert all(cosine(one, other) > 0.9999 for one, other in zip(found, calm, strict=True))
    await model.unload()


async def test_the_setting_wins_over_the_files(tmp_path: Path) -> None:
    small = write_small(tmp_path, documents=_sentence("mean", "Normalize"))
    model = await load(small.model, tmp_path, pooling="cls")
    assert cosine((await _embed(model, TEXTS[0]))[0], _expected(small, TEXTS[0], "cls")) > 0.99999
    await model.unload()


async def test_vectors_have_length_1_unless_the_files_have_no_such_step(tmp_path: Path) -> None:
    small = write_small(tmp_path / "a", documents=_sentence("mean"))
    as_is, scaled = (
        await load(small.model, small.folder),
        await load(small.model, small.folder, normalize=True),
    )
    assert np.linalg.norm(await _embed(as_is, TEXTS[0])) == pytest.approx(
        np.linalg.norm(
            hidden_states(small.weights, small.shape, small.tokenizer.encode(TEXTS[0]).ids).mean(axis=0)
        ),
        rel=1e-4,
    )
    assert np.linalg.norm(await _embed(scaled, TEXTS[0])) == pytest.approx(1)
    plain = write_small(tmp_path / "b")
    bare = await load(plain.model, plain.folder)
    assert np.linalg.norm(await _embed(bare, TEXTS[0])) == pytest.approx(1)
    for model in (as_is, scaled, bare):
        await model.unload()


@pytest.mark.parametrize(
    "inputs",
    [
        ("input_ids", "attention_mask"),
        ("input_ids", "attention_mask", "token_type_ids"),
        ("input_ids", "attention_mask", "position_ids"),
    ],
    ids=lambda inputs: inputs[-1],
)
async def test_a_graph_gets_the_inputs_that_it_has(tmp_path: Path, inputs: tuple[str, ...]) -> None:
    small = write_small(tmp_path, inputs=inputs)
    model = await load(small.model, tmp_path)
    for text, vector in zip(TEXTS, await _embed(model, TEXTS), strict=True):
        assert cosine(vector, _expected(small, text)) > 0.99999
    await model.unload()


async def test_a_graph_that_pools_itself_is_trusted(tmp_path: Path) -> None:
    small = write_small(
        tmp_path,
        head="sentence_embedding",
        extra_outputs=["token_embeddings"],
        documents=_sentence("cls", "Dense", "Normalize"),
    )
    model = await load(small.model, tmp_path)
    assert cosine((await _embed(model, TEXTS[0]))[0], _expected(small, TEXTS[0], "mean")) > 0.99999
    await model.unload()


async def test_a_step_that_is_not_in_the_graph_is_named(tmp_path: Path) -> None:
    small = write_small(tmp_path, documents=_sentence("mean", "Dense", "Normalize"))
    with pytest.raises(ModelLoadError, match="Dense"):
        await load(small.model, tmp_path)


async def test_tokens_are_embedded_as_their_text(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path)
    assert isinstance(model, Tokenizes)
    bare = await model.tokenize(TEXTS[0])
    framed = small.tokenizer.encode(TEXTS[0]).ids
    text, from_bare, from_framed = [(await _embed(model, one))[0] for one in (TEXTS[0], [bare], framed)]
    np.testing.assert_allclose(text, from_bare, atol=1e-6)
    np.testing.assert_allclose(text, from_framed, atol=1e-6)
    await model.unload()


async def test_a_control_token_in_a_text_is_text(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path)
    assert isinstance(model, Tokenizes)
    assert small.tokenizer.token_to_id("[SEP]") not in await model.tokenize("a [SEP] b")
    assert await model.detokenize(small.tokenizer.encode("a dog").ids) == "[CLS] a dog [SEP]"
    await model.unload()


async def test_a_long_text_is_refused_with_both_numbers_or_cut(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path, ctx_len=8)
    long = "the cat sat on the mat and the dog ran"
    with pytest.raises(
        ContextLengthExceededError, match=r"Input 1 has 12 tokens, and the model reads 8"
    ) as caught:
        await _embed(model, ["a dog", long])
    assert caught.value.param == "input[1]"
    cut = (await _embed(model, long, truncate=True))[0]
    ids = small.tokenizer.encode(long).ids
    kept = [*ids[:7], ids[-1]]
    expected = unit(hidden_states(small.weights, small.shape, kept).mean(axis=0))
    np.testing.assert_allclose(cut, expected, atol=1e-5)
    by_tokens = (await _embed(model, [ids], truncate=True))[0]
    np.testing.assert_allclose(by_tokens, expected, atol=1e-5)
    await model.unload()


async def test_the_longest_text_is_what_the_files_say_and_what_the_graph_can(tmp_path: Path) -> None:
    small = write_small(tmp_path, documents={"sentence_bert_config.json": {"max_seq_length": 6}})
    model = await load(small.model, tmp_path)
    with pytest.raises(ContextLengthExceededError, match="reads 6"):
        await _embed(model, "the cat sat on the mat")
    await model.unload()
    with pytest.raises(ModelLoadError, match=r"ctx_len is 1024.*512"):
        await load(small.model, tmp_path, ctx_len=1024)


async def test_dimensions_cut_vectors_and_scale_them(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path)
    cut = (await _embed(model, TEXTS[0], dimensions=8))[0]
    np.testing.assert_allclose(cut, unit(_expected(small, TEXTS[0])[:8]), atol=1e-5)
    with pytest.raises(InvalidRequestError, match=r"dimensions is 33.*have 32") as caught:
        await _embed(model, TEXTS[0], dimensions=33)
    assert caught.value.param == "dimensions"
    await model.unload()


async def test_prompts_are_written_before_texts(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "query ", "passage": "document "}, "default_prompt_name": "passage"}
    small = write_small(tmp_path, documents={"config_sentence_transformers.json": prompts})
    model = await load(small.model, tmp_path, prompts={"who": "who is "})
    cases: list[tuple[str, dict[str, Any]]] = [
        ("document a dog", {}),
        ("query a dog", {"prompt_name": "query"}),
        ("query a dog", {"input_type": "search_query"}),
        ("document a dog", {"input_type": "document"}),
        ("who is a dog", {"prompt_name": "who"}),
    ]
    assert isinstance(model, Embeds)
    for text, options in cases:
        result = await model.embed(EmbeddingRequest(input="a dog", extra=options))
        np.testing.assert_allclose(result.embeddings[0], _expected(small, text), atol=1e-5)
    with pytest.raises(InvalidRequestError, match=r"no prompt 'x'.*query, passage, who"):
        await model.embed(EmbeddingRequest(input="a dog", extra={"prompt_name": "x"}))
    await model.unload()
    bare = await load(small.model, tmp_path, prefix="")
    np.testing.assert_allclose((await _embed(bare, "a dog"))[0], _expected(small, "a dog"), atol=1e-5)
    await bare.unload()


async def test_the_variant_is_chosen_by_name(tmp_path: Path) -> None:
    small = write_small(tmp_path, graph="onnx/model.onnx")
    other = write_small(tmp_path / "other", head="sentence_embedding")
    (other.folder / "model.onnx").rename(tmp_path / "onnx" / "model_int8.onnx")
    model = await load(small.model, tmp_path, variant="int8", pooling="none")
    assert (await _embed(model, "a dog")).shape == (1, 32)
    await model.unload()
    with pytest.raises(ModelLoadError, match=r"no variant 'q4'. It has: model.onnx, model_int8.onnx"):
        await load(small.model, tmp_path, variant="q4")


async def test_an_id_that_is_not_there_costs_that_request_alone(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path)
    answers = await asyncio.gather(
        _embed(model, TEXTS[0]), _embed(model, [[1, 99999]]), _embed(model, TEXTS[1]), return_exceptions=True
    )
    assert isinstance(answers[1], InvalidRequestError)
    assert not isinstance(answers[0], BaseException)
    assert not isinstance(answers[2], BaseException)
    await model.unload()


async def test_too_many_waiting_texts_are_refused(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path, max_queue=4, max_batch=1)
    first = asyncio.ensure_future(_embed(model, ["the cat sat on the mat"] * 64))
    await asyncio.sleep(0)  # it is in the queue now
    with pytest.raises(TooManyRequestsError, match="wait") as caught:
        await _embed(model, "a dog")
    assert caught.value.retry_after
    assert (await first).shape == (64, 32)
    assert (await _embed(model, "a dog")).shape == (1, 32)
    await model.unload()


async def test_a_linked_graph_finds_a_tokenizer_beside_the_model_json(tmp_path: Path) -> None:
    small = write_small(tmp_path / "elsewhere")
    home = tmp_path / "home"
    home.mkdir()
    (small.folder / "tokenizer.json").rename(home / "tokenizer.json")
    linked = model_of(["model.onnx"])
    linked.sources[0].url = (small.folder / "model.onnx").as_uri()
    model = await load(linked, home)
    np.testing.assert_allclose((await _embed(model, "a dog"))[0], _expected(small, "a dog"), atol=1e-5)
    await model.unload()


async def test_a_graph_that_rounds_by_the_whole_run_still_gives_each_text_its_own_vector(
    tmp_path: Path,
) -> None:
    small = write_small(tmp_path)
    plain, rounded = tmp_path / "model.onnx", tmp_path / "model_quantized.onnx"
    quantize_dynamic(plain, rounded, weight_type=QuantType.QInt8)
    model = await load(small.model, tmp_path, variant="quantized")
    together = await _embed(model, TEXTS)
    alone = np.concatenate([await _embed(model, text) for text in TEXTS])
    np.testing.assert_array_equal(together, alone)
    await model.unload()
    faster = await load(small.model, tmp_path, variant="quantized", max_batch=8)
    assert not np.array_equal(await _embed(faster, TEXTS), alone), "else the rule has no reason"
    await faster.unload()


async def test_a_cache_of_earlier_tokens_is_fed_as_empty(tmp_path: Path) -> None:
    tokenizer = write_small(tmp_path).tokenizer
    table = np.random.default_rng(3).standard_normal((tokenizer.get_vocab_size(), 8)).astype(np.float32)
    graph = GraphWriter("float32")
    for name in ("input_ids", "attention_mask"):
        graph.input(name, TensorProto.INT64, ["batch", "sequence"])
    past = graph.input("past_key_values.0.key", TensorProto.FLOAT, ["batch", 2, "past", 4])
    words = graph.add("Gather", graph.weight("table", table), "input_ids")
    graph.add("Add", words, graph.add("ReduceSum", past, keepdims=0), to="last_hidden_state")
    graph.output("last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", 8])
    graph.save(tmp_path / "model.onnx")
    model = await load(model_of(["model.onnx"]), tmp_path, pooling="last")
    vectors = await _embed(model, TEXTS)
    last = unit(table[tokenizer.token_to_id("[SEP]")].astype(np.float64))
    np.testing.assert_allclose(vectors, [last] * len(TEXTS), atol=1e-6)
    await model.unload()


@pytest.mark.parametrize("side", ["left", "right"])
async def test_a_graph_that_takes_the_last_place_gets_texts_at_the_end(tmp_path: Path, side: str) -> None:
    tokenizer = write_small(tmp_path, documents={"tokenizer_config.json": {"padding_side": side}}).tokenizer
    table = np.random.default_rng(3).standard_normal((tokenizer.get_vocab_size(), 8)).astype(np.float32)
    graph = GraphWriter("float32")
    for name in ("input_ids", "attention_mask"):
        graph.input(name, TensorProto.INT64, ["batch", "sequence"])
    words = graph.add("Gather", graph.weight("table", table), "input_ids")
    place = graph.add("Squeeze", graph.ints(-1 if side == "left" else 0))
    graph.add("Gather", words, place, axis=1, to="sentence_embedding")
    graph.output("sentence_embedding", TensorProto.FLOAT, ["batch", 8])
    graph.save(tmp_path / "model.onnx")
    model = await load(model_of(["model.onnx"]), tmp_path)
    vectors = await _embed(model, TEXTS)
    token = "[SEP]" if side == "left" else "[CLS]"
    expected = unit(table[tokenizer.token_to_id(token)].astype(np.float64))
    np.testing.assert_allclose(vectors, [expected] * len(TEXTS), atol=1e-6)
    await model.unload()

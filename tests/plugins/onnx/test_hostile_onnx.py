"""Graphs, tokenizers, configurations and requests that mean harm: each costs itself, and no other."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest
import pytest_asyncio
from jan_host import (
    ContextLengthExceededError,
    EmbeddingRequest,
    Embeds,
    EngineError,
    InvalidRequestError,
    JanHostError,
    LoadedModel,
    ModelLoadError,
    RerankRequest,
    Reranks,
)
from jan_host_onnx.engine import OnnxEngine

from tests.plugins.onnx.encoders import damage
from tests.plugins.onnx.encoders.folders import Small, load, write_small

SECONDS = 60


async def vectors_of(model: LoadedModel, given: Any, **options: Any) -> list[list[float]]:
    """What it answers, within a time."""
    assert isinstance(model, Embeds)
    async with asyncio.timeout(SECONDS):
        return (await model.embed(EmbeddingRequest(input=given, **options))).embeddings


@pytest_asyncio.fixture
async def model(tmp_path: Path) -> AsyncIterator[LoadedModel]:
    """A small embedding model."""
    small = write_small(tmp_path / "small")
    loaded = await load(small.model, small.folder)
    yield loaded
    await loaded.unload()


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.3])
async def test_a_run_that_never_ends_goes_with_the_request(tmp_path: Path, seconds: float) -> None:
    small = write_small(tmp_path)
    damage.edit(tmp_path / "model.onnx", damage.never_end)
    model = await load(small.model, tmp_path)
    asking = asyncio.create_task(vectors_of(model, "the cat sat on the mat and a dog ran"))
    await asyncio.wait([asking], timeout=seconds)  # before the run, or in it
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert len(await vectors_of(model, "a dog")) == 1, "the thread is free again"
    await asyncio.wait_for(model.unload(), SECONDS)


async def test_who_shares_a_run_with_a_cancelled_request_gets_an_answer(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    model = await load(small.model, tmp_path)
    asked = [asyncio.create_task(vectors_of(model, ["a dog"] * 40)) for _ in range(12)]
    await asyncio.sleep(0)
    for each in asked[::2]:
        each.cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert all(isinstance(each, asyncio.CancelledError) for each in answers[::2])
    assert all(isinstance(each, list) and len(each) == 40 for each in answers[1::2])
    await model.unload()


@pytest.mark.parametrize(
    "location",
    ["../../etc/passwd", "/etc/passwd", r"..\..\x", r"C:\x", "a/../../x", "file:///etc/passwd", "\0", ""],
)
async def test_weights_of_another_folder_are_refused(tmp_path: Path, location: str) -> None:
    small = write_small(tmp_path, external=True)
    damage.edit(tmp_path / "model.onnx", damage.place_weights(location))
    with pytest.raises(ModelLoadError, match="outside its folder"):
        await load(small.model, tmp_path)


async def test_weights_behind_a_link_that_leads_out_are_refused(tmp_path: Path) -> None:
    small = write_small(tmp_path / "model", external=True)
    data = small.folder / "model.onnx_data"
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelLoadError, match="behind a link that leads out of its folder"):
        await load(small.model, small.folder)


async def test_a_folder_of_links_works_as_hubs_cache_it(tmp_path: Path) -> None:
    small = write_small(tmp_path / "model", external=True)
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for path in [*small.folder.iterdir()]:
        blob = path.rename(blobs / f"of-{path.name}")
        path.symlink_to(blob)
    model = await load(small.model, small.folder)
    assert len(await vectors_of(model, "a dog")) == 1
    await model.unload()


async def test_a_sparse_file_of_weights_counts_as_much_as_is_read_of_it(tmp_path: Path) -> None:
    small = write_small(tmp_path, external=True)
    with (tmp_path / "model.onnx_data").open("r+b") as data:
        data.truncate(2**40)
    engine = OnnxEngine()
    assert (engine.estimate(small.model, tmp_path, engine.Settings()).ram or 0) < 2**30
    model = await load(small.model, tmp_path)
    assert len(await vectors_of(model, "a dog")) == 1
    await model.unload()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damage.claim_numbers, "can't be loaded"),
        (damage.go_round, "not acyclic"),
        (damage.want_pictures, "takes pixel_values, which this engine does not know"),
        (damage.give_nothing, "no graph with inputs and outputs"),
    ],
)
async def test_a_graph_that_can_not_be_is_refused(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    small = write_small(tmp_path)
    damage.edit(tmp_path / "model.onnx", change)
    with pytest.raises(ModelLoadError, match=reason):
        await load(small.model, tmp_path)


async def test_a_run_that_wants_all_memory_costs_its_request(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    damage.edit(tmp_path / "model.onnx", damage.take_everything)
    model = await load(small.model, tmp_path)
    for _ in range(2):
        with pytest.raises(EngineError, match="Failed to allocate memory"):
            await vectors_of(model, "a dog")
    await model.unload()


async def test_an_expression_that_tries_for_ever_costs_its_request(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    pattern = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+$|(a|aa)+b"},
        "behavior": "Isolated",
        "invert": False,
    }
    damage.rewrite_tokenizer(tmp_path, pre_tokenizer=pattern)
    model = await load(small.model, tmp_path)
    with pytest.raises(EngineError, match="The model's tokenizer failed on this text"):
        await vectors_of(model, "a" * 40 + "!")
    assert len(await vectors_of(model, "b")) == 1
    await model.unload()


CONFIGS: list[dict[str, Any]] = [
    {"max_position_embeddings": -5},
    {"max_position_embeddings": "abc"},
    {"max_position_embeddings": 1e400},
    {"pad_token_id": -1},
    {"pad_token_id": [1]},
    {"type_vocab_size": -1},
    {"hidden_size": "x"},
    {"model_type": ["a"]},
    {"architectures": 5},
    {"architectures": [None, 5]},
]


@pytest.mark.parametrize("config", CONFIGS, ids=json.dumps)
async def test_a_configuration_that_lies_does_no_harm(tmp_path: Path, config: dict[str, Any]) -> None:
    small = write_small(tmp_path, config=config)
    model = await load(small.model, tmp_path)
    assert len(await vectors_of(model, ["a dog", "a cat sat on the mat"])) == 2
    await model.unload()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "modules.json"])
@pytest.mark.parametrize(
    "content", [b"[" * 200_000, b"\xff\xfe\x00", b"5", b""], ids=["deep", "bytes", "5", "empty"]
)
async def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    small = write_small(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelLoadError, match=name):
        await load(small.model, tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {"ctx_len": 0},
        {"ctx_len": 2**30},
        {"n_parallel": 0},
        {"n_parallel": 10**6},
        {"cpu_threads": 0},
        {"cpu_threads": 10**6},
        {"n_batch": 0},
        {"device": -1},
        {"pooling": "nonsense"},
        {"providers": "cpu"},
    ],
    ids=json.dumps,
)
def test_settings_beyond_reason_are_refused_before_anything_is_loaded(settings: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, OnnxEngine.Settings, strict=False)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"ctx_len": 10**6}, "the model has positions for 512 tokens"),
        ({"providers": ["nonsense"]}, "no provider 'nonsense'"),
        ({"providers": [""]}, "no provider ''"),
        ({"variant": "../../x"}, "no variant"),
    ],
)
async def test_settings_that_do_not_fit_the_model_say_why(
    tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    small = write_small(tmp_path)
    with pytest.raises(ModelLoadError, match=reason):
        await load(small.model, tmp_path, **settings)


INPUTS: list[tuple[Any, int]] = [
    ([], 0),
    ("", 1),
    ([""], 1),
    (["a", "", "\ud800", "\0\0", "[CLS][SEP]"], 5),
    ([[]], 1),
    (["a dog"] * 10_000, 10_000),
]


@pytest.mark.parametrize(("given", "count"), INPUTS, ids=lambda value: repr(value)[:30])
async def test_odd_inputs_have_vectors(model: LoadedModel, given: Any, count: int) -> None:
    assert len(await vectors_of(model, given)) == count


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ([-1], {}),
        ([10**9], {}),
        ([2**63], {}),
        ("a", {"dimensions": 33}),
        ("a", {"extra": {"prompt_name": [1]}}),
        ("word " * 200_000, {}),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_inputs_that_can_not_be_read_are_refused(
    model: LoadedModel, given: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError):
        await vectors_of(model, given, **options)
    assert len(await vectors_of(model, "a dog")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "the quick brown fox " * 20_000,
        "x" * 400_000,
        " " * 400_000 + "a dog",
        "a\u0301" * 100_000,
        "dog, cat. " * 900,
    ],
    ids=["words", "one word", "blanks", "accents", "short"],
)
async def test_the_beginning_of_a_text_that_is_cut_is_what_reading_all_of_it_gives(
    model: LoadedModel, tmp_path: Path, text: str
) -> None:
    tokenizer = write_small(tmp_path / "again").tokenizer
    tokenizer.enable_truncation(512)
    (found,) = await vectors_of(model, text, truncate=True)
    (expected,) = await vectors_of(model, [tokenizer.encode(text).ids])
    assert found == pytest.approx(expected, abs=1e-5)


async def _ranker(folder: Path) -> tuple[Small, LoadedModel]:
    small = write_small(folder, classes=1)
    return small, await load(small.model, small.folder)


async def _scores(model: LoadedModel, query: str, documents: list[Any], **options: Any) -> list[float]:
    assert isinstance(model, Reranks)
    async with asyncio.timeout(SECONDS):
        return (await model.rerank(RerankRequest(query=query, documents=documents, **options))).scores


async def test_reranking_bears_what_is_long_much_or_strange(tmp_path: Path) -> None:
    _, model = await _ranker(tmp_path)
    long = "word " * 200_000

    assert len(await _scores(model, "who", ["a dog"] * 10_000)) == 10_000
    assert len(await _scores(model, "\udc00", ["\ud800", ""])) == 2
    assert len(await _scores(model, long, ["a", "the cat"] * 10, truncate=True)) == 20
    assert len(await _scores(model, "who", [long], truncate=True)) == 1
    with pytest.raises(ContextLengthExceededError, match="The query has 800000 tokens"):
        await _scores(model, long, ["a"] * 1000)
    with pytest.raises(ContextLengthExceededError, match="The query with document 1"):
        await _scores(model, "who", ["a", long])
    with pytest.raises(JanHostError, match="Document 0 has no field text"):
        await _scores(model, "who", [{"title": "x"}])
    await model.unload()

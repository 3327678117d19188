"""Decoders, configurations, templates and requests that mean harm: each costs itself, and no other."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
import pytest_asyncio
from jan_host import (
    ChatMessage,
    EngineError,
    InvalidRequestError,
    JanHostError,
    ModelLoadError,
    UnavailableError,
)
from jan_host_onnx.generation.model import DecoderModel
from onnx import TensorProto, helper, numpy_helper

from tests.plugins.onnx.decoder.talking import Answer, chat, collect, completion, load
from tests.plugins.onnx.decoder.tiny import write_tiny
from tests.plugins.onnx.encoders import damage

SECONDS = 60


async def said(model: DecoderModel, prompt: str | list[int] = "x", **options: Any) -> Answer:
    """An answer, within a time."""
    async with asyncio.timeout(SECONDS):
        return await collect(model.complete(completion(prompt, **{"max_tokens": 4, **options})))


@pytest_asyncio.fixture
async def model(tmp_path: Path) -> AsyncIterator[DecoderModel]:
    """A tiny decoder."""
    loaded = await load(write_tiny(tmp_path / "tiny"))
    yield loaded
    await loaded.unload()


def _scores_times(number: float) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        graph.initializer.append(numpy_helper.from_array(np.array(number, np.float32), "factor"))
        for node in graph.node:
            node.output[:] = ["sound" if name == "logits" else name for name in node.output]
        graph.node.append(helper.make_node("Mul", ["sound", "factor"], ["logits"]))

    return change


@pytest.mark.parametrize("factor", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "options", [{}, {"temperature": 1.0}, {"logprobs": 2}, {"mirostat": 2, "temperature": 1.0}]
)
async def test_scores_that_are_no_numbers_are_an_error(
    tmp_path: Path, factor: float, options: dict[str, Any]
) -> None:
    model = await load(write_tiny(tmp_path, change=_scores_times(factor)))
    with pytest.raises(EngineError, match="its graph overflows"):
        await said(model, **options)
    await model.unload()


async def test_a_run_that_never_ends_goes_with_its_request(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path, change=lambda graph: damage.never_end(graph, longer_than=30))
    model = await load(folder, n_parallel=2)
    for seconds in (0.0, 0.01, 0.3):
        asking = asyncio.create_task(said(model, "x" * 60))
        await asyncio.wait([asking], timeout=seconds)  # before the run, or in it
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await said(model)).reason == "length"

    asking = asyncio.create_task(said(model, "x" * 60))
    await asyncio.wait([asking], timeout=0.3)
    await asyncio.wait_for(model.unload(), SECONDS)
    with pytest.raises(UnavailableError):
        await asking


def _lose_a_present(model: onnx.ModelProto) -> None:
    kept = [value for value in model.graph.output if value.name != "present.1.key"]
    del model.graph.output[:]
    model.graph.output.extend(kept)


def _miscount_heads(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        if value.name == "past_key_values.1.key":
            value.type.tensor_type.shape.dim[1].dim_value = 7


def _flatten_cache(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        if value.name.startswith("past"):
            value.type.tensor_type.shape.dim.pop()


def _strings(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damage.want_pictures, "asks for pixel_values"),
        (_lose_a_present, r"does not give it back as present\.1\.key"),
        (_miscount_heads, "can't be loaded"),
        (_flatten_cache, "can't be loaded|in the shape"),
        (_strings, "can't be loaded"),
        (lambda graph: damage.never_end(graph, longer_than=10**6), "Nothing is wrong"),
    ],
    ids=["another input", "no present", "heads", "flat cache", "strings", "none"],
)
async def test_a_graph_that_does_not_fit_says_why(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    folder = write_tiny(tmp_path, change=change)
    if reason == "Nothing is wrong":
        await (await load(folder)).unload()
        return
    with pytest.raises(ModelLoadError, match=reason):
        await load(folder)


@pytest.mark.parametrize(
    "config",
    [
        {"eos_token_id": 10**12},
        {"eos_token_id": -5},
        {"eos_token_id": [1, "a", None]},
        {"max_position_embeddings": -3},
        {"vocab_size": 5},
        {"num_attention_heads": -1},
    ],
    ids=json.dumps,
)
async def test_a_configuration_that_lies_does_no_harm(tmp_path: Path, config: dict[str, Any]) -> None:
    model = await load(write_tiny(tmp_path, config=config))
    assert (await said(model)).usage.completion_tokens > 0
    await model.unload()


async def test_a_vocabulary_that_is_smaller_than_the_graphs_scores(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"] = {
        text: index for text, index in content["model"]["vocab"].items() if index < 9
    }
    content["added_tokens"] = [{**token, "id": 9 + at} for at, token in enumerate(content["added_tokens"])]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    model = await load(folder)
    answer = await said(model, [3], logprobs=3, temperature=1.5, max_tokens=40, ignore_eos=True)
    assert answer.usage.completion_tokens == 40
    await model.unload()


HOSTILE_TEMPLATES = [
    "{{ 1/0 }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% include '/etc/passwd' %}",
    "{{ 'x'*10**9 }}",
    "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
]


@pytest.mark.parametrize("template", HOSTILE_TEMPLATES)
async def test_a_hostile_template_costs_its_request(tmp_path: Path, template: str) -> None:
    model = await load(write_tiny(tmp_path, tokenizer_config={"chat_template": template}))
    with pytest.raises(JanHostError, match="chat template"):
        async with asyncio.timeout(SECONDS):
            await collect(model.chat(chat("x")))
    assert (await said(model)).reason == "length"
    await model.unload()


@pytest.mark.parametrize(
    ("files", "prompt"),
    [
        (
            {"tokenizer_config.json": [{"name": "default", "template": "D{{ messages[0]['content'] }}"}]},
            "Dhi",
        ),
        (
            {
                "tokenizer_config.json": [
                    {"name": "tool_use", "template": "T"},
                    {"name": "default", "template": "E{{ messages[0]['content'] }}"},
                ]
            },
            "Ehi",
        ),
        ({"chat_template.jinja": "J{{ messages[0]['content'] }}"}, "Jhi"),
        ({"chat_template.json": {"chat_template": "K{{ messages[0]['content'] }}"}}, "Khi"),
    ],
    ids=["list", "list of two", "jinja", "json"],
)
async def test_a_template_may_stand_in_several_places(
    tmp_path: Path, files: dict[str, Any], prompt: str
) -> None:
    folder = write_tiny(tmp_path)
    for name, content in files.items():
        if name == "tokenizer_config.json":
            config = json.loads((folder / name).read_text())
            (folder / name).write_text(json.dumps({**config, "chat_template": content}))
        else:
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    model = await load(folder)
    answer = await collect(model.chat(chat("hi", max_tokens=6, ignore_eos=True)))
    expected = await said(model, prompt, max_tokens=6, ignore_eos=True)
    assert (answer.text, answer.usage.prompt_tokens) == (expected.text, len(prompt))
    await model.unload()


async def test_a_begun_answer_is_gone_on_with_and_not_closed(model: DecoderModel) -> None:
    asked = chat("hi", max_tokens=6, ignore_eos=True)
    asked.messages.append(ChatMessage(role="assistant", content="It is"))
    start = await model.tokenize("user\nhi") + [258] + await model.tokenize("\n")
    begun = await model.tokenize("assistant\nIt is")
    answer = await collect(model.chat(asked))
    expected = await said(model, [257, *start, 257, *begun], max_tokens=6, ignore_eos=True)

    assert answer.text == expected.text
    assert answer.usage.prompt_tokens == len(start) + len(begun) + 2


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        ([-1], {}),
        ([2**40], {}),
        ([0] * 1_000_000, {}),
        ("x" * 1_000_000, {}),
        ("x", {"max_tokens": 10**9}),
        ("x", {"logit_bias": {"999": 1.0}}),
        ("x", {"logit_bias": {"-1": 1.0}}),
        ("x", {"logit_bias": {str(token): -100.0 for token in range(259)}}),
        ("x", {"samplers": ["nonsense"]}),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_what_can_not_be_is_refused(
    model: DecoderModel, prompt: str | list[int], options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError):
        await said(model, prompt, **options)
    assert (await said(model)).reason == "length"


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 2.0, "dry_multiplier": 1e30},
        {"repeat_penalty": 1e-30},
        {"top_k": 2**31 - 1, "temperature": 1.0},
        {"mirostat": 1, "mirostat_tau": 1e-9, "temperature": 1.0},
        {"seed": -(2**63)},
        {"n": 16},
        {"stop": ["x" * 1000]},
        {"typical_p": 1e-9, "temperature": 1.0},
        {"xtc_probability": 1.0, "xtc_threshold": 0.0, "temperature": 1.0},
    ],
    ids=json.dumps,
)
async def test_odd_options_of_sampling_still_give_an_answer(
    model: DecoderModel, options: dict[str, Any]
) -> None:
    assert (await said(model, "\ud800 \0 <|im_end|>", ignore_eos=True, **options)).reasons[0] == "length"


async def test_what_goes_wrong_in_choosing_costs_that_request_alone(model: DecoderModel) -> None:
    good = asyncio.create_task(said(model, "a", max_tokens=200, ignore_eos=True))
    with pytest.raises(EngineError, match="No token could be chosen"):
        await said(model, "b", min_p=5.0, temperature=1.0)  # the API lets no such number through
    assert (await good).usage.completion_tokens == 200


async def test_two_hundred_rounds_of_cancels_leave_every_seat_free_and_memory_flat(
    model: DecoderModel,
) -> None:
    random, process = Random(3), psutil.Process()
    expected = (await said(model, "the end", max_tokens=12, ignore_eos=True)).text
    early = 0
    for turn in range(200):
        await asyncio.gather(*[_leave(model, f"{turn} {name}", random) for name in range(8)])
        if turn == 40:
            early = process.memory_info().rss
    async with asyncio.timeout(SECONDS):
        answers = await asyncio.gather(
            *[said(model, "the end", max_tokens=12, ignore_eos=True) for _ in range(4)]
        )

    assert [answer.text for answer in answers] == [expected] * 4
    assert process.memory_info().rss - early < 20 * 1024**2


async def _leave(model: DecoderModel, prompt: str, random: Random) -> None:
    """Read some of a stream, and go."""
    stream = model.complete(completion(prompt, max_tokens=60, ignore_eos=True))
    assert isinstance(stream, AsyncGenerator)
    for _ in range(random.randrange(6)):
        await anext(stream)
    await stream.aclose()

"""Calls that a real model may make, in both local engines: free to begin, held to their schema in them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import pytest_asyncio
from jan_host import ChatRequest, Chats, InvalidRequestError, LoadedModel

from tests.core.kit.tools.templates import QWEN25
from tests.plugins.llamacpp.talking import load as load_gguf
from tests.plugins.onnx.decoder.folders import decoder_folder
from tests.plugins.onnx.decoder.talking import load as load_onnx
from tests.plugins.structured.conftest import ENGINES
from tests.plugins.talking import Answer, collect

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "days": {"type": "integer", "maximum": 9},
        "unit": {"enum": ["celsius", "kelvin"]},
    },
    "required": ["city", "days", "unit"],
}
"""What no call of the conversation so far matches: a model that copies these would leave the unit out."""
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER, "strict": True}}


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=ENGINES)
async def caller(request: pytest.FixtureRequest, smollm2: Path) -> AsyncIterator[Chats]:
    """SmolLM2 with a template that knows tools, whose calls stand between ``<tool_call>`` tags."""
    loaded: LoadedModel
    given: dict[str, Any] = {"n_parallel": 4, "ctx_len": 1024, "prompt_template": QWEN25}
    if request.param == "llama.cpp":
        loaded = await load_gguf(smollm2, **given)
    else:
        loaded = await load_onnx(decoder_folder("gqa"), **given)
    assert isinstance(loaded, Chats)
    yield loaded
    await loaded.unload()


def asked(city: str, days: int) -> list[dict[str, Any]]:
    """A question, the call that answers it, its result, and what is said then."""
    arguments = json.dumps({"city": city, "days": days})
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    return [
        {"role": "user", "content": f"How is the weather in {city} in {days} days?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": f"Sunny in {city}."},
        {"role": "assistant", "content": f"It will be sunny in {city}."},
    ]


def ask(question: str = "How is the weather in Paris in 2 days?", **options: Any) -> ChatRequest:
    messages = [
        *asked("Rome", 1),
        *asked("Oslo", 3),
        *asked("Cairo", 2),
        {"role": "user", "content": question},
    ]
    given = {"messages": messages, "tools": [TOOL], "max_tokens": 60, "temperature": 1.0, **options}
    return msgspec.convert(given, ChatRequest)


def calls(answer: Answer) -> list[list[str]]:
    """Name and arguments of each call of the only choice."""
    found: dict[int, list[str]] = {}
    for delta in answer.deltas:
        for call in delta.tool_calls:
            assert call.function is not None
            entry = found.setdefault(call.index, [call.function.name or "", ""])
            entry[1] += call.function.arguments or ""
    return list(found.values())


async def test_calls_that_a_model_begins_match_their_schema(caller: Chats) -> None:
    answers = await asyncio.gather(*(collect(caller.chat(ask(seed=seed))) for seed in range(6)))

    called = [answer for answer in answers if answer.reason == "tool_calls"]
    assert len(called) >= 3
    for answer in called:
        for name, arguments in calls(answer):
            assert name == "get_weather"
            jsonschema.validate(json.loads(arguments), WEATHER)


@pytest.mark.parametrize("options", [{"logprobs": True}, {"logit_bias": {"5": -100}}, {"n": 2}])
async def test_other_options_hold_beside_it(caller: Chats, options: dict[str, Any]) -> None:
    answer = await collect(caller.chat(ask(temperature=0.0, **options)))

    assert set(answer.reasons.values()) == {"tool_calls"}


async def test_a_greedy_answer_without_a_call_is_what_it_was_without_tools(caller: Chats) -> None:
    plain = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0.0}
    free = await collect(caller.chat(msgspec.convert({**plain, "max_tokens": 24}, ChatRequest)))
    told = {**plain, "max_tokens": 24, "tools": [TOOL], "tool_choice": "none"}
    held = await collect(caller.chat(msgspec.convert(told, ChatRequest)))

    assert held.text == free.text


@pytest.mark.parametrize("strict", [True, False])
async def test_a_schema_that_nothing_matches_refuses_strict_tools_alone(caller: Chats, strict: bool) -> None:
    never = {"type": "integer", "minimum": 3, "maximum": 1}
    schema = {"type": "object", "properties": {"a": never}, "required": ["a"]}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}}
    request = ask(tools=[tool], temperature=0.0, max_tokens=8)

    if strict:
        with pytest.raises(InvalidRequestError, match="tools"):
            await collect(caller.chat(request))
    else:
        answer = await collect(caller.chat(request))
        assert answer.usage.completion_tokens

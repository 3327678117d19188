"""SmolLM2, whose template knows no tools, calls them: in a form that it is held to where it must."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from jan_host import ChatRequest, InvalidRequestError
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import Answer, collect

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
}
TIME = {"type": "object", "properties": {"zone": {"type": "integer", "minimum": -12, "maximum": 14}}}
SCHEMAS = {"get_weather": WEATHER, "get_time": TIME}
TOOLS = [{"type": "function", "function": {"name": n, "parameters": p}} for n, p in SCHEMAS.items()]


def ask(**options: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    given = {"messages": messages, "tools": TOOLS, "max_tokens": 200, "tool_choice": "required", **options}
    return msgspec.convert(given, ChatRequest)


def calls(answer: Answer) -> list[tuple[str, str]]:
    """Name and arguments of each call of the only choice."""
    found: dict[int, list[str]] = {}
    for delta in answer.deltas:
        for call in delta.tool_calls:
            assert call.function is not None
            entry = found.setdefault(call.index, [call.function.name or "", ""])
            entry[1] += call.function.arguments or ""
    return [(name, arguments) for name, arguments in found.values()]


@pytest.mark.parametrize("seed", range(5))
async def test_calls_that_must_come_match_their_schemas(model: LlamaCppModel, seed: int) -> None:
    answer = await collect(model.chat(ask(temperature=1.0, seed=seed, parallel_tool_calls=False)))

    ((name, arguments),) = calls(answer)
    jsonschema.validate(json.loads(arguments), SCHEMAS[name])
    assert answer.text == ""
    assert answer.reason == "tool_calls"


@pytest.mark.parametrize("limit", [1, 3, 6, 12, 24])
async def test_what_is_cut_of_a_call_that_must_come_is_no_content(model: LlamaCppModel, limit: int) -> None:
    answer = await collect(model.chat(ask(temperature=0.0, max_tokens=limit)))

    assert (answer.text, answer.reason) == ("", "length")
    assert all(name in SCHEMAS for name, _ in calls(answer))


async def test_several_calls_may_come_and_each_matches(model: LlamaCppModel) -> None:
    answer = await collect(model.chat(ask(temperature=1.0, seed=1, max_tokens=150)))

    found = calls(answer)
    whole = found if answer.reason == "tool_calls" else found[:-1]
    for name, arguments in whole:
        jsonschema.validate(json.loads(arguments), SCHEMAS[name])
    assert found


async def test_a_named_tool_is_the_one_that_is_called_once(model: LlamaCppModel) -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}
    answer = await collect(model.chat(ask(tool_choice=choice, temperature=1.0, seed=2)))

    assert [name for name, _ in calls(answer)] == ["get_time"]


async def test_a_call_that_is_cut_says_length(model: LlamaCppModel) -> None:
    answer = await collect(model.chat(ask(temperature=0.0, max_tokens=22)))

    ((name, arguments),) = calls(answer)
    assert name in SCHEMAS
    assert arguments.startswith("{")
    assert answer.reason == "length"


async def test_a_stop_string_does_not_cut_a_call(model: LlamaCppModel) -> None:
    plain = await collect(model.chat(ask(temperature=0.0, parallel_tool_calls=False)))
    stopped = await collect(model.chat(ask(temperature=0.0, parallel_tool_calls=False, stop=["c", "{", '"'])))

    assert calls(stopped) == calls(plain)
    assert stopped.reason == "tool_calls"


async def test_each_choice_calls_for_itself(model: LlamaCppModel) -> None:
    answer = await collect(model.chat(ask(temperature=1.0, seed=3, n=2, parallel_tool_calls=False)))

    ids = [call.id for delta in answer.deltas for call in delta.tool_calls if call.id]
    assert len(set(ids)) == 2
    assert set(answer.reasons.values()) == {"tool_calls"}


async def test_tools_that_are_not_to_be_called_change_nothing(model: LlamaCppModel) -> None:
    without = await collect(model.chat(ask(tools=None, tool_choice=None, temperature=0.0, max_tokens=16)))
    answer = await collect(model.chat(ask(tool_choice="none", temperature=0.0, max_tokens=16)))

    assert answer.text == without.text
    assert not calls(answer)


async def test_a_schema_that_cannot_be_is_refused(model: LlamaCppModel) -> None:
    bad = {"type": "function", "function": {"name": "f", "parameters": {"type": "nonsense"}}}
    with pytest.raises(InvalidRequestError) as caught:
        await collect(model.chat(ask(tools=[bad])))
    assert caught.value.param == "tools"

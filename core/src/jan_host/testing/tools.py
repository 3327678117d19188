"""Checks of tool calls: each engine that takes tools calls them in OpenAI's shape, or refuses in words."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from jan_host.contract.chat import (
    ChatMessage,
    ChatRequest,
    FunctionCall,
    FunctionDefinition,
    NamedFunction,
    NamedToolChoice,
    Tool,
    ToolCall,
)
from jan_host.contract.engine import Chats
from jan_host.contract.errors import InvalidRequestError, UnsupportedError
from jan_host.contract.generation import Delta
from jan_host.testing.fixtures import EngineFixtures, require
from jan_host.testing.generation import Answer, Live, collect, put_together
from jan_host.testing.running import Run

_TOKENS = 200


def _tool(name: str, **properties: Any) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(function=FunctionDefinition(name=name, description=f"Does {name}.", parameters=schema))


_LOOK = _tool("look_up", word={"enum": ["river", "stone"]})
_COUNT = _tool("count", number={"type": "integer", "minimum": 0, "maximum": 9})
_QUESTION = ChatMessage(role="user", content="What does the word river mean?")


class ToolChecks(EngineFixtures):
    """Calls that must come, that must not, their results, and choices that make no sense."""

    def test_a_call_that_must_come(self, run: Run, live: Live) -> None:
        answer = run(_asked(live, tool_choice="required", parallel_tool_calls=False))
        ((name, arguments),) = _calls(answer.deltas)
        assert name in ("look_up", "count"), f"{name!r} is none of the tools"
        if answer.finish_reasons != ["length"]:
            assert answer.finish_reasons == ["tool_calls"]
            assert isinstance(msgspec.json.decode(arguments), dict), f"{arguments!r} is no JSON object"
        assert not answer.text.strip(), f"text beside a call that must come: {answer.text!r}"

    def test_the_named_tool_is_called(self, run: Run, live: Live) -> None:
        choice = NamedToolChoice(function=NamedFunction(name="count"))
        answer = run(_asked(live, tool_choice=choice))
        assert {name for name, _ in _calls(answer.deltas)} == {"count"}

    def test_tools_that_are_not_to_be_called(self, run: Run, live: Live) -> None:
        answer = run(_asked(live, tool_choice="none", max_tokens=8))
        assert not _calls(answer.deltas)

    def test_tools_that_may_be_called(self, run: Run, live: Live) -> None:
        answer = run(_asked(live, tool_choice="auto", max_tokens=16))
        called = bool(_calls(answer.deltas))
        assert called or answer.finish_reasons != ["tool_calls"], "no call, and the finish reason says so"

    def test_results_are_fed_back(self, run: Run, live: Live) -> None:
        call = ToolCall(id="call_1", function=FunctionCall(name="look_up", arguments='{"word": "river"}'))
        said = ChatMessage(role="assistant", tool_calls=[call])
        result = ChatMessage(role="tool", tool_call_id="call_1", content="Running water.")
        run(_asked(live, messages=[_QUESTION, said, result], max_tokens=8))

    @pytest.mark.parametrize(
        "options",
        [
            {"tools": [_LOOK, _LOOK]},
            {"tool_choice": NamedToolChoice(function=NamedFunction(name="nobody"))},
        ],
        ids=["the same name twice", "an unknown name"],
    )
    def test_a_choice_that_makes_no_sense_is_refused(
        self, run: Run, live: Live, options: dict[str, Any]
    ) -> None:
        require("chat", live)
        with pytest.raises(InvalidRequestError):
            run(_ask(live, **options))


async def _asked(live: Live, **options: Any) -> Answer:
    require("chat", live)
    try:
        return await _ask(live, **options)
    except UnsupportedError as error:
        pytest.skip(f"tools: {error}")


async def _ask(live: Live, **options: Any) -> Answer:
    assert isinstance(live.loaded, Chats)
    given = {"messages": [_QUESTION], "tools": [_LOOK, _COUNT], "max_tokens": _TOKENS, **options}
    request = ChatRequest(model=live.model_id, temperature=0.0, **given)
    return put_together(await collect(live.loaded.chat(request)))


def _calls(deltas: Sequence[Delta]) -> list[tuple[str, str]]:
    """Name and arguments of each call, having checked how its pieces came."""
    found: list[tuple[str, str]] = []
    ids: set[str] = set()
    for piece in (piece for delta in deltas for piece in delta.tool_calls):
        name = piece.function.name if piece.function is not None else None
        if piece.index == len(found):
            assert piece.id, f"the first piece of a call has its id: {piece}"
            assert piece.id not in ids, f"two calls have the id {piece.id}"
            assert name, f"the first piece of a call has the name: {piece}"
            ids.add(piece.id)
            found.append((name, ""))
        else:
            assert 0 <= piece.index < len(found), f"calls are numbered from 0 in order: {piece}"
            assert not name, f"the name comes once: {piece}"
        known, arguments = found[piece.index]
        more = piece.function.arguments if piece.function is not None else None
        found[piece.index] = (known, arguments + (more or ""))
    return found

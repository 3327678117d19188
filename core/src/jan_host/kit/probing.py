"""Find out what a template expects, by trying small conversations on it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jan_host.contract.errors import JanHostError
from jan_host.kit.budget import Budget, TemplateTimeError
from jan_host.kit.conversation import Habits, Message

Run = Callable[[Sequence[Message], Habits, Mapping[str, Any], Budget], str]
"""Renders messages for certain habits, with further variables, under a budget."""

_SECONDS = 0.25
_WORD = "jan-host-probe"
_ID = "abcdefghi"
"""Mistral's templates refuse ids that have not nine letters and digits."""


def find_habits(run: Run, source: str) -> Habits:
    """The habits of the template `source`, which `run` renders.

    A template that shows nothing in any way, or fails, is taken to have OpenAI's.
    """
    parts = _find_parts(run)
    system = _shows(
        run, Habits(parts=parts), [{"role": "system", "content": _WORD}, {"role": "user", "content": "Hi"}]
    )
    if "tool_calls" not in source:
        return Habits(parts=parts, system=system)
    return _with_calls(run, Habits(parts=parts, system=system))


@dataclass(frozen=True, slots=True)
class Shows:
    """What a template has a place for."""

    tools: bool = False
    calls: bool = False
    """What the assistant called before."""
    results: bool = False
    """Messages of the role ``tool``."""
    several: bool = False
    """More than one call in a message."""


def find_shown(run: Run, source: str, habits: Habits) -> Shows:
    """What the template `source`, which `run` renders, has a place for."""
    if "tool" not in source:
        return Shows()
    named = _tool(_WORD)
    calls = _shows(run, habits, _calling({_WORD: "x"}, habits))
    result = {"role": "tool", "content": _WORD, "tool_call_id": _ID, "name": "look"}
    called = _calling({"x": "y"}, habits) if calls else _calling({"x": "y"}, habits)[:1]
    return Shows(
        tools=_shows(run, habits, [{"role": "user", "content": "Hi"}], [named]),
        calls=calls,
        results=_shows(run, habits, [*called, result]),
        several=calls and _shows(run, habits, _calling({"x": "y"}, habits, also=_WORD)),
    )


def _find_parts(run: Run) -> bool:
    user: list[Message] = [{"role": "user", "content": _WORD}]
    return not _shows(run, Habits(), user) and _shows(run, Habits(parts=True), user)


def _with_calls(run: Run, habits: Habits) -> Habits:
    """The habits with how arguments and the content beside calls are wanted."""
    ways = [
        replace(habits, null_content=null, arguments=arguments)
        for null in (False, True)
        for arguments in (True, False)
    ]
    return next((way for way in ways if _shows(run, way, _calling({_WORD: "x"}, way))), habits)


def _calling(arguments: Message, habits: Habits, *, also: str = "") -> list[Message]:
    """A conversation in which the assistant calls a tool, or that and another one."""
    given = arguments if habits.arguments else json.dumps(arguments)
    calls = [_call("look", given, _ID), *([_call(also, given, "bcdefghij")] if also else [])]
    return [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": calls},
    ]


def _call(name: str, arguments: object, call_id: str) -> Message:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _tool(name: str) -> Message:
    parameters = {
        "type": "object",
        "properties": {"x": {"type": "string", "description": "x"}},
        "required": ["x"],
    }
    return {"type": "function", "function": {"name": name, "description": "x", "parameters": parameters}}


def _shows(
    run: Run, habits: Habits, messages: Sequence[Message], tools: Sequence[Message] | None = None
) -> bool:
    """Whether the word appears in what the template writes, and not in Python's notation."""
    context = {"tools": tools, "add_generation_prompt": False}
    try:
        written = run(messages, habits, context, Budget(_SECONDS))
    except (JanHostError, TemplateTimeError):
        return False
    return _WORD in written and f"'{_WORD}'" not in written

"""Find out what a template expects, by trying small conversations on it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jan_host.contract.errors import JanHostError
from jan_host.kit.budget import Budget, TemplateTimeError
from jan_host.kit.conversation import Habits, Message

Run = Callable[[Sequence[Message], Habits, Mapping[str, Any], Budget], str]
"""Renders messages for certain habits, with further variables, under a budget."""

_SECONDS = 0.25
_WORD = "jan-host-probe"


def find_habits(run: Run, source: str) -> Habits:
    """The habits of the template `source`, which `run` renders.

    A template that shows nothing in any way, or fails, is taken to have OpenAI's.
    """
    parts = _find_parts(run)
    system = _shows(
        run, Habits(parts=parts), [{"role": "system", "content": _WORD}, {"role": "user", "content": "Hi"}]
    )
    arguments = "tool_calls" not in source or _find_arguments(run, Habits(parts=parts))
    return Habits(parts=parts, system=system, arguments=arguments)


def _find_parts(run: Run) -> bool:
    user: list[Message] = [{"role": "user", "content": _WORD}]
    return not _shows(run, Habits(), user) and _shows(run, Habits(parts=True), user)


def _find_arguments(run: Run, habits: Habits) -> bool:
    as_object = _shows(run, habits, _calling({_WORD: "x"}))
    return as_object or not _shows(run, habits, _calling(f'{{"{_WORD}": "x"}}'))


def _calling(arguments: object) -> list[Message]:
    """A conversation in which the assistant calls a tool."""
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "look", "arguments": arguments}}
    return [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": [call]}]


def _shows(run: Run, habits: Habits, messages: Sequence[Message]) -> bool:
    """Whether the word appears in what the template writes, and not in Python's notation."""
    context = {"tools": None, "add_generation_prompt": False}
    try:
        written = run(messages, habits, context, Budget(_SECONDS))
    except (JanHostError, TemplateTimeError):
        return False
    return _WORD in written and f"'{_WORD}'" not in written

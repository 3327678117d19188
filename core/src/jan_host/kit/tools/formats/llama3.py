"""Llama 3.1, 3.2 and 3.3: a bare JSON object, built-in tools behind ``<|python_tag|>``, and tagged functions.

Documented at https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import SPACE, Feed, MalformedError, Steps
from jan_host.kit.tools.formats.base import CallDict, MarkedFormat, attempt, json_call, plain_call
from jan_host.kit.tools.formats.python_calls import give_calls, read_calls
from jan_host.kit.tools.json_text import call_list
from jan_host.kit.tools.json_values import container
from jan_host.kit.tools.said import Sink

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

PYTHON_TAG: Final = "<|python_tag|>"
_INTERPRETERS: Final = ("python", "code_interpreter", "ipython")
_BETWEEN: Final = ";,"


class Llama3Format(MarkedFormat):
    """``{"name": ..., "parameters": {...}}`` where the answer begins, more behind ``;`` or on more lines.

    Behind ``<|python_tag|>`` the same, or ``tool.call(query="...")`` for Llama's own tools, or code for a
    tool that is named like an interpreter. ``<function=name>{...}</function>`` is read anywhere.
    """

    special: ClassVar = (PYTHON_TAG,)
    openers: ClassVar = (PYTHON_TAG, "<function=")

    def parse(self, feed: Feed, sink: Sink) -> Steps[None]:
        """Calls where the answer begins, then as with every marked format."""
        yield from attempt(call_list(feed, sink, separators=_BETWEEN), "", feed, sink)
        yield from super().parse(feed, sink)

    def call(self, marker: str, feed: Feed, sink: Sink) -> Steps[None]:
        """See `MarkedFormat`."""
        if marker != PYTHON_TAG:
            yield from tagged_function(feed, sink)
        elif (yield from feed.space()) in ("{", "["):
            yield from call_list(feed, sink, separators=_BETWEEN)
        else:
            yield from python_code(feed, sink)

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        return write.calls(json_call("parameters"), "; ")

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (
            Trigger('{"name":', first=True),
            Trigger(PYTHON_TAG + "{", skip=len(PYTHON_TAG)),  # else code stands behind it
        )

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """Bare objects."""
        plain = (plain_call(call) for call in calls)
        return "; ".join(
            json.dumps({"name": call["name"], "parameters": call["arguments"]}, ensure_ascii=False)
            for call in plain
        )


def tagged_function(feed: Feed, sink: Sink) -> Steps[None]:
    """What stands behind ``<function=``: ``name>{...}</function>``.

    Raises:
        MalformedError: It is no call.
    """
    name = yield from feed.word(lambda character: character not in "<>{}" + SPACE)
    yield from feed.expect(">")
    if not sink.may_call(name) or (yield from feed.space()) != "{":
        raise MalformedError
    sink.call(name)
    feed.mark()
    yield from container(feed, sink.arguments)
    feed.mark()
    yield from feed.space()
    yield from feed.expect("</function>")
    feed.mark()


def python_code(feed: Feed, sink: Sink) -> Steps[None]:
    """Code up to the end of the answer, for the tool that runs it, or calls of other tools.

    Raises:
        MalformedError: There is no such tool.
    """
    is_call = yield from _is_own_call(feed, sink)
    interpreter = next((name for name in _INTERPRETERS if sink.may_call(name)), None)
    if interpreter is not None and not is_call:
        sink.call(interpreter)
        feed.mark()
        sink.arguments('{"code": "')
        yield from feed.until((), lambda text: sink.arguments(json.dumps(text, ensure_ascii=False)[1:-1]))
        sink.arguments('"}')
        return
    held: list[str] = []
    yield from feed.until((), held.append)
    give_calls(read_calls("".join(held)), feed, sink)


def _is_own_call(feed: Feed, sink: Sink) -> Steps[bool]:
    """Whether ``tool.call(`` comes next, in which Llama calls its own tools; nothing is taken."""
    feed.mark()
    name = yield from feed.word(lambda character: character.isalnum() or character == "_")
    found = name in sink.names and (yield from feed.starts_with(".call("))
    feed.rewind()
    feed.mark()
    return found

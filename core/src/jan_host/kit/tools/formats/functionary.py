"""Functionary v3.1 (tagged functions over Llama 3.1's template) and v3.2 (``>>>`` before each part).

Documented at https://github.com/MeetKai/functionary, in its prompt templates' tests.
"""

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import Feed, MalformedError, Steps
from jan_host.kit.tools.formats.base import CallDict, Format, MarkedFormat, attempt, plain_call
from jan_host.kit.tools.formats.llama3 import PYTHON_TAG, python_code, tagged_function
from jan_host.kit.tools.json_values import container
from jan_host.kit.tools.said import Sink

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

_PART: Final = ">>>"
_TO_EVERYBODY: Final = "all"
_INTERPRETER: Final = "python"


class TaggedFunctionary(MarkedFormat):
    """v3.1: ``<function=name>{...}</function>``, and code behind ``<|python_tag|>``."""

    special: ClassVar = (PYTHON_TAG,)
    openers: ClassVar = ("<function=", PYTHON_TAG)

    def call(self, marker: str, feed: Feed, sink: Sink) -> Steps[None]:
        """See `MarkedFormat`."""
        yield from python_code(feed, sink) if marker == PYTHON_TAG else tagged_function(feed, sink)

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        return write.calls(lambda name: (f"<function={name}>", "</function>"))

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (Trigger("<function="),)

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """Tagged functions."""
        plain = (plain_call(call) for call in calls)
        return "".join(
            f"<function={call['name']}>{json.dumps(call['arguments'])}</function>" for call in plain
        )


class PartedFunctionary(Format):
    """v3.2: ``all\\n`` and content, or ``name\\n{...}``, with ``>>>`` before each part but the first."""

    structured: ClassVar = True

    def parse(self, feed: Feed, sink: Sink) -> Steps[None]:
        """The parts of an answer; the prompt ends with the first ``>>>``."""
        marker: str | None = _PART if (yield from feed.starts_with(_PART)) else ""
        while marker is not None:
            if (yield from attempt(self._part(feed, sink), marker, feed, sink)):
                marker = _PART
            else:
                marker = yield from feed.until((_PART,), sink.content)

    def _part(self, feed: Feed, sink: Sink) -> Steps[bool]:
        """One part.

        Returns:
            Whether the next one has begun.
        """
        name = yield from _name(feed)
        if name == _TO_EVERYBODY:
            yield from feed.expect("\n")
            feed.mark()
            return False
        if not sink.may_call(name):
            raise MalformedError
        yield from feed.starts_with("\n")
        if (yield from feed.space()) == "{":
            sink.call(name)
            feed.mark()
            yield from container(feed, sink.arguments)
            feed.mark()
            yield from feed.space()
        elif name == _INTERPRETER:
            return (yield from self._code(feed, sink))
        else:
            raise MalformedError
        return False

    def _code(self, feed: Feed, sink: Sink) -> Steps[bool]:
        """Code up to the next part: ``>>>`` may stand in it too."""
        sink.call(_INTERPRETER)
        feed.mark()
        sink.arguments('{"code": "')
        more = False
        while not more and (yield from feed.until((_PART,), partial(_say_inside, sink))) is not None:
            feed.mark()
            more = (yield from _name(feed)) in (*sink.names, _TO_EVERYBODY)
            feed.rewind()
            if not more:
                sink.arguments(_PART)
        sink.arguments('"}')
        feed.mark()
        return more

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        return write.calls(lambda name: (f"{name}\n", ""), _PART)

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`; behind the name of the interpreter code may stand."""
        begun = [f"{name}\n{'{' if name == _INTERPRETER else ''}" for name in names]
        first = [Trigger(text, first=True) for text in begun]
        return [*first, *(Trigger(_PART + text, skip=len(_PART)) for text in begun)]

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """Parts."""
        plain = (plain_call(call) for call in calls)
        return "".join(f"{_PART}{call['name']}\n{json.dumps(call['arguments'])}" for call in plain)


def _name(feed: Feed) -> Steps[str]:
    return (yield from feed.word(lambda character: character not in "\n{"))


def _say_inside(sink: Sink, text: str) -> None:
    """Hand text on as the inside of a JSON string."""
    sink.arguments(json.dumps(text, ensure_ascii=False)[1:-1])

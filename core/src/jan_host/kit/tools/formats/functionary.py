"""Functionary v3.1 (tagged functions over Llama 3.1's template) and v3.2 (``>>>`` before each part).

Documented at https://github.com/MeetKai/functionary, in its prompt templates' tests.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import Feed, MalformedError, Steps
from jan_host.kit.tools.formats.base import CallDict, Format, MarkedFormat, attempt, plain_call
from jan_host.kit.tools.formats.llama3 import PYTHON_TAG, python_code, tagged_function
from jan_host.kit.tools.json_text import container
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
        yield from feed.starts_with(_PART)
        more = True
        while more:
            yield from attempt(self._part(feed, sink), "", feed, sink)
            more = (yield from feed.until((_PART,), sink.content)) is not None

    def _part(self, feed: Feed, sink: Sink) -> Steps[None]:
        name = yield from feed.word(lambda character: character not in "\n{")
        if name == _TO_EVERYBODY:
            yield from feed.expect("\n")
            feed.mark()
            return
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
            yield from self._code(feed, sink)
        else:
            raise MalformedError

    def _code(self, feed: Feed, sink: Sink) -> Steps[None]:
        sink.call(_INTERPRETER)
        feed.mark()
        sink.arguments('{"code": "')
        marker = yield from feed.until((_PART,), lambda text: sink.arguments(json.dumps(text)[1:-1]))
        sink.arguments('"}')
        feed.mark()
        if marker is not None:
            yield from self._part(feed, sink)

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

"""What every format of tool calls has."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import Feed, MalformedError, Steps
from jan_host.kit.tools.said import Sink, long_id

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

T = TypeVar("T")
ToolDict = Mapping[str, Any]
"""A tool in OpenAI's shape: ``{"type": "function", "function": {...}}``."""
CallDict = Mapping[str, Any]
"""A call in OpenAI's shape, its arguments an object or JSON as text."""


class Format(ABC):
    """How models of a family call tools.

    `instructions`, `write_calls` and `write_results` are for templates that lack a place for these; what is
    here suits any model.
    """

    special: ClassVar[tuple[str, ...]] = ()
    """Control tokens that parsing needs as text."""
    structured: ClassVar[bool] = False
    """Whether every answer has a form that must be read, also one without tools."""

    @abstractmethod
    def parse(self, feed: Feed, sink: Sink) -> Steps[None]:
        """Read a whole answer, but for reasoning that stands before it."""

    def grammar(self, write: "Writer") -> str:
        """What stands where a tool must be called, without reasoning before it; in Lark."""
        calls = write.calls(json_call("arguments"), ", ")
        opening, closing = write.text('{"tool_calls": ['), write.text("]}")
        return f"{opening} {calls} {closing}"

    def calls(self, write: "Writer") -> str:
        """What stands from a trigger on, in Lark; what may be said before the calls is no part of it."""
        return self.grammar(write)

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """What a model writes that is about to call one of these tools.

        From there on `calls` holds. A way to call that begins otherwise is read all the same.
        """
        return (Trigger('{"tool_calls":', first=True),)

    def new_id(self) -> str:
        """An id for a call."""
        return long_id()

    def known_id(self, given: str) -> str:
        """The id of an earlier call as the template takes it."""
        return given

    def instructions(self, tools: Sequence[ToolDict]) -> str:
        """What the model is told of its tools, in the system message."""
        lines = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
        return (
            "You have tools. Each line describes one; its parameters are a JSON schema:\n"
            f"{lines}\n\n"
            "To use tools, answer with nothing but this JSON object, with one entry for each call:\n"
            '{"tool_calls": [{"name": "<name of the tool>", "arguments": {<its arguments>}}]}\n'
            "The results come in the next message. When no tool is needed, answer in plain text."
        )

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """Earlier calls, as the assistant wrote them."""
        return json.dumps({"tool_calls": [plain_call(call) for call in calls]}, ensure_ascii=False)

    def write_result(self, name: str, text: str) -> str:
        """The result of a call, as a user would hand it in."""
        return f"Result of the tool {name}:\n{text}" if name else f"Result of a tool:\n{text}"


class MarkedFormat(Format):
    """A format in which a marker begins each call, or group of calls, and content may stand around them."""

    openers: ClassVar[tuple[str, ...]]
    """The markers."""

    def parse(self, feed: Feed, sink: Sink) -> Steps[None]:
        """Content, and calls wherever a marker stands; what is behind one and no call is content."""
        while (marker := (yield from feed.until(self.openers, sink.content))) is not None:
            yield from attempt(self.call(marker, feed, sink), marker, feed, sink)

    @abstractmethod
    def call(self, marker: str, feed: Feed, sink: Sink) -> Steps[None]:
        """Read what stands behind a marker.

        Raises:
            MalformedError: It is no call, or no further one.
        """


def attempt(reading: Steps[T], before: str, feed: Feed, sink: Sink) -> Steps[T | None]:
    """Try to read calls.

    Args:
        reading: Does it.
        before: What was taken already, and is content when there is no call.
        feed: Goes back to here, or behind the last call, when it fails.
        sink: Where the calls go.

    Returns:
        What the reading does; ``None`` when it fails.
    """
    known = sink.calls
    found = None
    feed.mark()
    try:
        found = yield from reading
    except MalformedError:
        feed.rewind()
        if sink.calls == known:
            sink.content(before)
    feed.forget()
    return found


def json_call(arguments: str, before: str = "", behind: str = "") -> Callable[[str], tuple[str, str]]:
    """A call as an object with name and `arguments`: what stands around these, for a tool's name."""
    return lambda name: (f'{before}{{"name": {json.dumps(name)}, "{arguments}": ', "}" + behind)


def plain_call(call: CallDict) -> dict[str, Any]:
    """A call as name and arguments, these as an object where they are one."""
    function = call.get("function") or {}
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # else the model sees what was said, as it was
            arguments = json.loads(arguments)
    return {"name": function.get("name", ""), "arguments": arguments}

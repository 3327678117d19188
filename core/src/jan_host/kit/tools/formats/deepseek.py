"""DeepSeek V3, R1 and V3.1: calls between tokens of their own.

Documented in the model cards and ``assets/chat_template`` files of DeepSeek-V3, -R1 and -V3.1.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import SPACE, Feed, MalformedError, Steps
from jan_host.kit.tools.formats.base import CallDict, MarkedFormat, ToolDict, plain_call
from jan_host.kit.tools.json_values import container
from jan_host.kit.tools.said import Sink

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

_BAR: Final = "\N{FULLWIDTH VERTICAL LINE}"
ALL_BEGIN: Final = f"<{_BAR}tool▁calls▁begin{_BAR}>"
_ALL_END: Final = f"<{_BAR}tool▁calls▁end{_BAR}>"
_BEGIN: Final = f"<{_BAR}tool▁call▁begin{_BAR}>"
_MIDDLE: Final = f"<{_BAR}tool▁sep{_BAR}>"
_END: Final = f"<{_BAR}tool▁call▁end{_BAR}>"


class DeepSeekFormat(MarkedFormat):
    """``begin function sep name`` and a fenced block of JSON (V3, R1), or ``begin name sep {...}`` (V3.1).

    Args:
        fenced: Whether the model was taught the first form; both are read.
    """

    special: ClassVar = (ALL_BEGIN, _BEGIN, _MIDDLE, _END, _ALL_END)
    # The distilled models write their tokens in these ways too.
    openers: ClassVar = (
        ALL_BEGIN,
        _BEGIN,
        f"<{_BAR}tool_calls_begin{_BAR}>",
        f"<{_BAR}tool calls begin{_BAR}>",
        f"<{_BAR}tool\\_calls\\_begin{_BAR}>",
    )

    def __init__(self, *, fenced: bool = False) -> None:
        self._fenced = fenced

    def call(self, marker: str, feed: Feed, sink: Sink) -> Steps[None]:
        """See `MarkedFormat`."""
        if marker != _BEGIN:
            yield from feed.space()
            yield from feed.expect(_BEGIN)
        while True:
            yield from self._one(feed, sink)
            feed.mark()
            yield from feed.space()
            if not (yield from feed.starts_with(_BEGIN)):
                break
        if (yield from feed.starts_with(_ALL_END)):
            feed.mark()

    def _one(self, feed: Feed, sink: Sink) -> Steps[None]:
        first = yield from feed.word(_is_name)
        yield from feed.expect(_MIDDLE)
        name = first
        if not sink.may_call(name) and first == "function":
            name = yield from feed.word(_is_name)
        if not sink.may_call(name):
            raise MalformedError
        yield from feed.space()
        fenced = yield from feed.starts_with("```")
        if fenced:
            yield from feed.word(str.isalpha)
        if (yield from feed.space()) != "{":
            raise MalformedError
        sink.call(name)
        feed.mark()
        yield from container(feed, sink.arguments)
        feed.mark()
        yield from feed.space()
        if fenced:
            yield from feed.starts_with("```")
            yield from feed.space()
        yield from feed.expect(_END)

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        if self._fenced:
            calls = write.calls(
                lambda name: (f"{_BEGIN}function{_MIDDLE}{name}\n```json\n", f"\n```{_END}"), "\n"
            )
        else:
            calls = write.calls(lambda name: (f"{_BEGIN}{name}{_MIDDLE}", _END))
        return f"{write.text(ALL_BEGIN)} {calls} {write.text(_ALL_END)}"

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (Trigger(ALL_BEGIN),)

    def instructions(self, tools: Sequence[ToolDict]) -> str:
        """In the words of DeepSeek-V3.1's model card."""
        described = "\n\n".join(
            f"### {tool['function']['name']}\nDescription: {tool['function'].get('description', '')}\n\n"
            f"Parameters: {json.dumps(tool['function'].get('parameters', {}), ensure_ascii=False)}"
            for tool in tools
        )
        return (
            f"## Tools\nYou have access to the following tools:\n\n{described}\n\n"
            f"IMPORTANT: ALWAYS adhere to this exact format for tool use:\n{ALL_BEGIN}{_BEGIN}tool_call_name"
            f"{_MIDDLE}tool_call_arguments{_END}{{additional_tool_calls}}{_ALL_END}\n\nWhere:\n"
            "- `tool_call_name` must be an exact match to one of the available tools\n"
            "- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema\n"
            "- For multiple tool calls, chain them directly without separators or spaces"
        )

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """In V3.1's form."""
        texts = (
            f"{_BEGIN}{call['name']}{_MIDDLE}{json.dumps(call['arguments'], ensure_ascii=False)}{_END}"
            for call in (plain_call(call) for call in calls)
        )
        return f"{ALL_BEGIN}{''.join(texts)}{_ALL_END}"


def _is_name(character: str) -> bool:
    return character not in "<>{}`" + SPACE

"""Hermes 2 Pro, Hermes 3, Qwen 2.5 and Qwen 3: JSON between ``<tool_call>`` tags.

Documented at https://github.com/NousResearch/Hermes-Function-Calling and in Qwen's function calling guide.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import SPACE, Feed, Steps
from jan_host.kit.tools.formats.base import CallDict, MarkedFormat, ToolDict, json_call, plain_call
from jan_host.kit.tools.json_text import call_list
from jan_host.kit.tools.said import Sink

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

_LOOSE: Final = "`}]," + SPACE
"""What models leave before the closing tag: a bracket too much, the end of a block."""


class HermesFormat(MarkedFormat):
    """``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``, once for each call."""

    special: ClassVar = ("<tool_call>", "</tool_call>")
    openers: ClassVar = ("<tool_call>",)

    def call(self, marker: str, feed: Feed, sink: Sink) -> Steps[None]:
        """See `MarkedFormat`."""
        yield from feed.space()
        if (yield from feed.starts_with("```")):
            yield from feed.word(str.isalpha)
        yield from call_list(feed, sink)
        yield from feed.word(_LOOSE.__contains__)
        yield from feed.expect("</tool_call>")
        feed.mark()

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        return write.calls(json_call("arguments", "<tool_call>\n", "\n</tool_call>"), "\n")

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (Trigger("<tool_call>"),)

    def instructions(self, tools: Sequence[ToolDict]) -> str:
        """In the words of Qwen's own template."""
        lines = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
        return (
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            f"You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{lines}\n"
            "</tools>\n\nFor each function call, return a json object with function name and arguments within"
            ' <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments":'
            " <args-json-object>}\n</tool_call>"
        )

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """Each between its tags."""
        texts = (json.dumps(plain_call(call), ensure_ascii=False) for call in calls)
        return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in texts)

    def write_result(self, name: str, text: str) -> str:
        """Between tags of its own."""
        return f"<tool_response>\n{text}\n</tool_response>"

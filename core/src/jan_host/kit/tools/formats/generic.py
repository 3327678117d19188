"""For models whose template knows no tools: JSON that the system message asks for."""

from typing import ClassVar, Final

from jan_host.kit.tools.feed import Feed, MalformedError, Steps
from jan_host.kit.tools.formats.base import Format, attempt
from jan_host.kit.tools.json_text import call_list
from jan_host.kit.tools.said import Sink

_FENCE: Final = "```"


class GenericFormat(Format):
    """``{"tool_calls": [{"name": ..., "arguments": {...}}]}`` and nothing else, or plain text.

    Read too, since models drift: one call or an array of calls without the envelope, and any of these in a
    fenced block, which may stand behind words.
    """

    blocks: ClassVar[tuple[str, ...]] = ("json", "tool_call", "tool_calls")
    """Labels of fenced blocks that may call behind words."""

    def parse(self, feed: Feed, sink: Sink) -> Steps[None]:
        """Calls where the answer begins with them, then content."""
        yield from attempt(self._calls(feed, sink), "", feed, sink)
        begin = {_FENCE + label: label for label in self.blocks}
        while (marker := (yield from feed.until(tuple(begin), sink.content))) is not None:
            yield from attempt(self._block(begin[marker], feed, sink), marker, feed, sink)

    def _calls(self, feed: Feed, sink: Sink) -> Steps[None]:
        yield from feed.space()
        if (yield from feed.starts_with(_FENCE)):
            label = yield from feed.word(str.isidentifier)
            yield from self._block(label, feed, sink)
        else:
            yield from call_list(feed, sink)

    def _block(self, label: str, feed: Feed, sink: Sink) -> Steps[None]:
        yield from feed.space()
        yield from self.fenced(label, feed, sink)
        yield from feed.space()
        if (yield from feed.starts_with(_FENCE)):
            feed.mark()

    def fenced(self, label: str, feed: Feed, sink: Sink) -> Steps[None]:
        """Read the inside of a fenced block with this label.

        Raises:
            MalformedError: It calls nothing.
        """
        if label not in ("", "json", "tool_call", "tool_calls"):
            raise MalformedError
        yield from call_list(feed, sink)

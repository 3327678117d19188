"""gpt-oss: the harmony format, whose messages go to channels and recipients.

Documented at https://github.com/openai/harmony/blob/main/docs/format.md.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import Feed, Steps
from jan_host.kit.tools.formats.base import Format
from jan_host.kit.tools.said import Sink

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

_START: Final = "<|start|>"
_CHANNEL: Final = "<|channel|>"
_MESSAGE: Final = "<|message|>"
_CONSTRAIN: Final = "<|constrain|>"
_CALL: Final = f"{_CHANNEL}commentary to=functions."
_ENDS: Final = ("<|end|>", "<|call|>", "<|return|>")
_NAMED_CHANNEL: Final = re.compile(r"<\|channel\|>\s*(\w+)")
_RECIPIENT: Final = re.compile(r"to=(?:functions\.)?([^\s<]+)")


class HarmonyFormat(Format):
    """Each message is a header, ``<|message|>``, a body and its end.

    The channel ``analysis`` is reasoning, ``final`` and what the model says in ``commentary`` is content, and
    a message to ``functions.name`` is a call.

    Args:
        reasons: Whether the channel ``analysis`` is told apart; else its messages stay as they are.
    """

    special: ClassVar = (_START, _CHANNEL, _MESSAGE, _CONSTRAIN, *_ENDS)
    structured: ClassVar = True

    def __init__(self, *, reasons: bool = True) -> None:
        self._reasons = reasons

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        analysis = f"<|channel|>analysis{_MESSAGE}"
        thinks = f"{write.text(analysis)} {write.until('<|end|>')} {write.text('<|start|>assistant')}"
        return f"({thinks})? {self.calls(write)}"

    def calls(self, write: "Writer") -> str:
        """See `Format`."""
        return write.call(lambda name: (f"{_CALL}{name} {_CONSTRAIN}json{_MESSAGE}", ""))

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (Trigger(_CALL),)

    def parse(self, feed: Feed, sink: Sink) -> Steps[None]:
        """The messages; text before the first header is content."""
        addressed = yield from feed.starts_with(" to=")
        marker = " to=" if addressed else (yield from feed.until((_CHANNEL, _START, _MESSAGE), sink.content))
        while marker is not None:
            header = [marker]
            if marker != _MESSAGE and (yield from feed.until((_MESSAGE,), header.append)) is None:
                return  # a header without a message says nothing
            yield from self._body("".join(header), feed, sink)
            marker = yield from feed.until((_CHANNEL, _START), sink.content)

    def _body(self, header: str, feed: Feed, sink: Sink) -> Steps[None]:
        channel, recipient = _NAMED_CHANNEL.search(header), _RECIPIENT.search(header)
        if recipient is not None and sink.may_call(recipient[1]):
            sink.call(recipient[1])
            empty = (yield from feed.space()) in ("", "<")
            yield from _until_end(feed, sink.arguments)
            if empty:
                sink.arguments("{}")
        elif channel is None or channel[1] != "analysis":
            yield from _until_end(feed, sink.content)
        elif self._reasons:
            sink.is_reasoning = True
            yield from _until_end(feed, sink.reasoning)
            sink.is_reasoning = False
            sink.reasoned()
        else:
            sink.content(header + ("" if header == _MESSAGE else _MESSAGE))
            sink.content((yield from _until_end(feed, sink.content)) or "")


def _until_end(feed: Feed, say: Callable[[str], None]) -> Steps[str | None]:
    return (yield from feed.until(_ENDS, say))

"""Mistral: ``[TOOL_CALLS]`` and a JSON array (tokenizers v3 to v7), or name and arguments (v11 and later).

Documented in mistral-common's tokenizers and at https://docs.mistral.ai/capabilities/function_calling/.
"""

import hashlib
import json
import string as letters
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import SPACE, Feed, MalformedError, Steps
from jan_host.kit.tools.formats.base import CallDict, MarkedFormat, json_call, plain_call
from jan_host.kit.tools.json_text import call_list
from jan_host.kit.tools.json_values import container
from jan_host.kit.tools.said import Sink, is_short_id, short_id

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

_ALPHABET: Final = letters.digits + letters.ascii_letters


class MistralFormat(MarkedFormat):
    """``[TOOL_CALLS][{...}]``, or ``[TOOL_CALLS]name[CALL_ID]id[ARGS]{...}`` for each call.

    Args:
        names_first: Whether the model was taught the second form; both are read.
    """

    special: ClassVar = ("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]")
    openers: ClassVar = ("[TOOL_CALLS]",)

    def __init__(self, *, names_first: bool = False) -> None:
        self._names_first = names_first

    def call(self, marker: str, feed: Feed, sink: Sink) -> Steps[None]:
        """See `MarkedFormat`."""
        if (yield from feed.space()) in ("[", "{"):
            yield from call_list(feed, sink, is_short_id)
        else:
            yield from _named(feed, sink)

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        if self._names_first:
            return write.calls(lambda name: (f"[TOOL_CALLS]{name}[ARGS]", ""))
        calls = write.calls(json_call("arguments"), ", ")
        return f"{write.text('[TOOL_CALLS][')} {calls} {write.text(']')}"

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (Trigger("[TOOL_CALLS]"),)

    def new_id(self) -> str:
        """Nine letters and digits: the templates refuse anything else."""
        return short_id()

    def known_id(self, given: str) -> str:
        """An id from elsewhere becomes one of nine letters and digits, always the same one."""
        if is_short_id(given):
            return given
        digest = hashlib.sha256(given.encode("utf-8", "replace")).digest()[:9]
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """An array."""
        return "[TOOL_CALLS]" + json.dumps([plain_call(call) for call in calls], ensure_ascii=False)


def _named(feed: Feed, sink: Sink) -> Steps[None]:
    name = yield from feed.word(lambda character: character not in "[]{}" + SPACE)
    if not sink.may_call(name):
        raise MalformedError
    call_id = ""
    if (yield from feed.starts_with("[CALL_ID]")):
        call_id = yield from feed.word(lambda character: character.isascii() and character.isalnum())
    yield from feed.starts_with("[ARGS]")
    if (yield from feed.space()) != "{":
        raise MalformedError
    sink.call(name, call_id if is_short_id(call_id) else "")
    feed.mark()
    yield from container(feed, sink.arguments)
    feed.mark()

"""Gemma: JSON or Python calls that its documentation asks for, and the tokens of FunctionGemma and Gemma 4.

Documented at https://ai.google.dev/gemma/docs/capabilities/function-calling and
https://ai.google.dev/gemma/docs/functiongemma/formatting-and-best-practices.
"""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from jan_host.kit.structure import Trigger
from jan_host.kit.tools.feed import SPACE, Feed, MalformedError, Steps
from jan_host.kit.tools.formats.base import CallDict, MarkedFormat, ToolDict, attempt, json_call, plain_call
from jan_host.kit.tools.formats.generic import GenericFormat
from jan_host.kit.tools.formats.python_calls import give_calls, read_calls
from jan_host.kit.tools.said import Sink

if TYPE_CHECKING:
    from jan_host.kit.tools.grammar import Writer

_LITERAL: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null")
_DEEPEST: Final = 64


class GemmaFormat(GenericFormat):
    """``{"name": ..., "parameters": {...}}``; read too: Python calls in a ``tool_code`` block or in brackets.

    Gemma 1 to 3 have no tokens for tools: the system message says how to call one.
    """

    blocks: ClassVar = (*GenericFormat.blocks, "tool_code")

    def parse(self, feed: Feed, sink: Sink) -> Steps[None]:
        """Calls where the answer begins, in any of the forms, then content."""
        known = sink.calls
        yield from attempt(_bracketed(feed, sink), "", feed, sink)
        if sink.calls == known:
            yield from super().parse(feed, sink)
        else:
            yield from feed.until((), sink.content)

    def fenced(self, label: str, feed: Feed, sink: Sink) -> Steps[None]:
        """See `GenericFormat`; Python in a block with the label ``tool_code``."""
        if label not in ("tool_code", "python"):
            yield from super().fenced(label, feed, sink)
            return
        code: list[str] = []
        yield from feed.until(("```",), code.append)
        give_calls(read_calls("".join(code)), feed, sink)

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        one = write.call(json_call("parameters"))
        several = write.calls(json_call("parameters"), ", ")
        return one if one == several else f"{one} | {write.text('[')} {several} {write.text(']')}"

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (Trigger('{"name":', first=True), Trigger('[{"name":', first=True))

    def instructions(self, tools: Sequence[ToolDict]) -> str:
        """In the words of Gemma's documentation, with JSON."""
        schemas = json.dumps([tool["function"] for tool in tools], ensure_ascii=False)
        return (
            "You have access to functions. If you decide to invoke any of the function(s), you MUST put it in"
            ' the format of\n{"name": function name, "parameters": dictionary of argument name and its value}'
            "\n\n"
            "You SHOULD NOT include any other text in the response if you call a function\n" + schemas
        )

    def write_calls(self, calls: Sequence[CallDict]) -> str:
        """One object, or an array of several."""
        plain = (plain_call(call) for call in calls)
        texts = [{"name": call["name"], "parameters": call["arguments"]} for call in plain]
        return json.dumps(texts if len(texts) > 1 else texts[0], ensure_ascii=False)

    def write_result(self, name: str, text: str) -> str:
        """In a block."""
        return f"```tool_output\n{text}\n```"


def _bracketed(feed: Feed, sink: Sink) -> Steps[None]:
    """``[name(key=value), ...]`` up to the end of its line.

    Raises:
        MalformedError: It is something else.
    """
    yield from feed.space()
    yield from feed.expect("[")
    first = yield from feed.space()
    if not first.isidentifier():
        raise MalformedError
    line = yield from feed.word(lambda character: character != "\n")
    give_calls(read_calls("[" + line), feed, sink)


class GemmaTokens(MarkedFormat):
    """``call:name{key:value,...}`` between tokens, its texts between other tokens.

    Args:
        begin: The token before a call.
        end: The token behind it.
        quote: The token around a text.
        response: The token before a result, which is not the model's to write.
    """

    def __init__(self, begin: str, end: str, quote: str, response: str) -> None:
        # What these are differs by model, and every model has one form.
        self.special = (begin, end, quote, response)  # type: ignore[misc]  # the class variable's default, per object
        self.openers = (begin, response)  # type: ignore[misc]  # the same
        self._begin = begin
        self._end = end
        self._quote = quote
        self._response = response

    def call(self, marker: str, feed: Feed, sink: Sink) -> Steps[None]:
        """See `MarkedFormat`."""
        if marker == self._response:
            sink.end()
            return
        yield from feed.space()
        yield from feed.expect("call:")
        name = yield from feed.word(lambda character: character not in "{}<" + SPACE)
        if not sink.may_call(name) or (yield from feed.peek()) != "{":
            raise MalformedError
        sink.call(name)
        feed.mark()
        yield from self._value(feed, sink, 0)
        yield from feed.space()
        feed.mark()
        yield from feed.expect(self._end)
        feed.mark()

    def grammar(self, write: "Writer") -> str:
        """See `Format`."""
        # The arguments are no JSON, so that no schema holds for them: their form alone does.
        value = write.forward()
        text = f"{write.text(self._quote)} /[^<]*/ {write.text(self._quote)}"
        pair = write.rule(f'/[a-zA-Z_][a-zA-Z0-9_]{{0,63}}/ ":" {value}')
        fields = write.rule(f'"{{" ({pair} ("," {pair})*)? "}}"')
        items = write.rule(f'"[" ({value} ("," {value})*)? "]"')
        word = r"/-?[0-9]{1,15}(\.[0-9]{1,15})?/"
        write.define(value, f'{text} | {word} | "true" | "false" | "null" | {fields} | {items}')
        names = " | ".join(write.text(name) for name in write.names)
        one = write.rule(f"{write.text(f'{self._begin}call:')} ({names}) {fields} {write.text(self._end)}")
        return write.repeated(one)

    def triggers(self, names: Sequence[str]) -> Sequence[Trigger]:
        """See `Format`."""
        return (Trigger(self._begin),)

    def _value(self, feed: Feed, sink: Sink, depth: int) -> Steps[None]:
        """One value, handed on as JSON.

        Raises:
            MalformedError: It is none.
        """
        first = yield from feed.space()
        if first in ("{", "["):
            yield from self._items(feed, sink, depth)
        elif (yield from feed.starts_with(self._quote)):
            yield from self._text(feed, sink)
        else:
            word = (yield from feed.word(lambda character: character not in ",{}[]<")).strip()
            if not word:
                raise MalformedError
            sink.arguments(word if _LITERAL.fullmatch(word) else json.dumps(word, ensure_ascii=False))

    def _items(self, feed: Feed, sink: Sink, depth: int) -> Steps[None]:
        if depth > _DEEPEST:
            raise MalformedError
        opening = yield from feed.take()
        closing = "}" if opening == "{" else "]"
        sink.arguments(opening)
        while (yield from feed.space()) != closing:
            if opening == "{":
                yield from self._key(feed, sink)
            yield from self._value(feed, sink, depth + 1)
            if (yield from feed.space()) != ",":
                break
            yield from feed.take()
            sink.arguments(", ")
        yield from feed.expect(closing)
        sink.arguments(closing)

    def _key(self, feed: Feed, sink: Sink) -> Steps[None]:
        if (yield from feed.starts_with(self._quote)):
            yield from self._text(feed, sink)
        else:
            key = yield from feed.word(lambda character: character not in ":{}[],<")
            sink.arguments(json.dumps(key.strip(), ensure_ascii=False))
        yield from feed.space()
        yield from feed.expect(":")
        sink.arguments(": ")

    def _text(self, feed: Feed, sink: Sink) -> Steps[None]:
        sink.arguments('"')
        say = _Escaped(sink)
        ended = yield from feed.until((self._quote,), say)
        if ended is None:
            raise MalformedError
        sink.arguments('"')


class _Escaped:
    """Hands text on as the inside of a JSON string."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __call__(self, text: str) -> None:
        self._sink.arguments(json.dumps(text, ensure_ascii=False)[1:-1])

"""JSON objects that call tools, read from a `Feed` while they arrive."""

from collections.abc import Callable
from typing import Final

from jan_host.kit.tools.feed import Feed, MalformedError, Steps
from jan_host.kit.tools.json_values import aside, container, string
from jan_host.kit.tools.said import Sink

AcceptsId = Callable[[str], bool] | None

_ARGUMENTS: Final = ("arguments", "parameters")
_ENVELOPES: Final = ("tool_calls", "tool_call")
_ASIDE: Final = ("id", "type", "call_id", "tool_call_id")


class CallObject:
    """Reads one object that calls a tool: its name and arguments, in any order, maybe inside ``function``.

    An envelope, ``{"tool_calls": [...]}``, is read too.

    As soon as the name is known and the arguments begin, they are handed on as they come. Where the
    arguments come first, they wait for the name.

    Args:
        feed: The text.
        sink: Where the call goes.
        accepts_id: Whether an id that the model gives is good enough; left out, none is.
        inside: Whether it is inside an envelope already.
    """

    def __init__(self, feed: Feed, sink: Sink, accepts_id: AcceptsId = None, *, inside: bool = False) -> None:
        self._feed = feed
        self._sink = sink
        self._accepts_id = accepts_id
        self._name = ""
        self._id = ""
        self._waiting: str | None = None
        self._called = False
        self._inside = inside

    def read(self) -> Steps[None]:
        """Take the object.

        Raises:
            MalformedError: It calls none of the tools. Once the call has begun, nothing raises.
        """
        try:
            yield from self._object()
        except MalformedError:
            if not self._called:
                raise
        if not self._called:
            self._call(self._waiting or "{}")

    def _object(self) -> Steps[None]:
        feed = self._feed
        yield from feed.expect("{")
        if (yield from feed.space()) == "}":
            raise MalformedError
        while True:
            yield from feed.space()
            key = yield from string(feed)
            yield from feed.space()
            yield from feed.expect(":")
            yield from feed.space()
            yield from self._value(key)
            if (yield from feed.space()) != ",":
                break
            yield from feed.take()
        yield from feed.expect("}")

    def _value(self, key: str) -> Steps[None]:
        if key == "name" or (key == "function" and (yield from self._feed.peek()) == '"'):
            self._name = yield from string(self._feed)
            if not self._sink.may_call(self._name):
                raise MalformedError
        elif key == "function" and not self._inside:
            self._inside = True
            yield from self._object()
        elif key in _ENVELOPES and not self._inside:
            yield from call_list(self._feed, self._sink, self._accepts_id, inside=True)
            self._called = True
        elif key in _ARGUMENTS:
            yield from self._arguments()
        elif key == "id":
            yield from self._own_id()
        elif key in _ASIDE or self._called:
            yield from aside(self._feed)
        else:
            raise MalformedError

    def _own_id(self) -> Steps[None]:
        if (yield from self._feed.peek()) != '"':
            yield from aside(self._feed)
            return
        found = yield from string(self._feed)
        if self._accepts_id is not None and self._accepts_id(found):
            self._id = found

    def _arguments(self) -> Steps[None]:
        """An object, the same as a string, or null."""
        character = yield from self._feed.peek()
        if character == '"':
            self._give((yield from string(self._feed)) or "{}")
        elif character == "n":
            yield from self._feed.expect("null")
            self._give("{}")
        elif character != "{":
            raise MalformedError
        elif self._name:
            self._call("")
            if not (yield from container(self._feed, self._sink.arguments)):
                raise MalformedError
        else:
            held: list[str] = []
            if not (yield from container(self._feed, held.append)):
                raise MalformedError
            self._give("".join(held))

    def _give(self, arguments: str) -> None:
        if self._name:
            self._call(arguments)
        else:
            self._waiting = arguments

    def _call(self, arguments: str) -> None:
        if not self._name or self._called:
            raise MalformedError
        self._called = True
        self._sink.call(self._name, self._id)
        self._feed.mark()
        self._sink.arguments(arguments)


def call_list(
    feed: Feed, sink: Sink, accepts_id: AcceptsId = None, *, separators: str = ",", inside: bool = False
) -> Steps[None]:
    """An object that calls a tool, or several with separators between them or none, maybe as an array.

    Raises:
        MalformedError: The first one calls no tool; what comes behind a call stays in the feed.
    """
    is_array = (yield from feed.space()) == "["
    if is_array:
        yield from feed.take()
        yield from feed.space()
    yield from CallObject(feed, sink, accepts_id, inside=inside).read()
    feed.mark()
    while (character := (yield from feed.space())) and character in "{" + separators:
        if character != "{":
            yield from feed.take()
            yield from feed.space()
        yield from CallObject(feed, sink, accepts_id, inside=inside).read()
        feed.mark()
    if is_array:
        yield from feed.expect("]")
        feed.mark()

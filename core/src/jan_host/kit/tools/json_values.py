"""JSON values read from a `Feed` while they arrive."""

import json
from collections.abc import Callable
from typing import Final

from jan_host.kit.tools.feed import SPACE, Feed, MalformedError, Steps

Say = Callable[[str], None]

_OPENING: Final = {"{": "}", "[": "]"}
_PLAIN: Final = frozenset("0123456789+-.eEtrufalsn:" + SPACE)
"""What may stand in JSON outside of strings, beside brackets."""
_PYTHON: Final = {"T": ("True", "true"), "F": ("False", "false"), "N": ("None", "null")}
"""Words of Python that models write for JSON's, by their first letter."""
_ESCAPED: Final = frozenset('"\\/bfnrtu')
"""What may stand behind a backslash."""


def string(feed: Feed) -> Steps[str]:
    """A JSON string, decoded.

    Raises:
        MalformedError: It is none, or does not end.
    """
    yield from feed.expect('"')
    raw = ['"']
    while True:
        character = yield from feed.take()
        raw.append(character)
        if character == "\\":
            raw.append((yield from feed.take()))
        elif character == '"':
            return _decoded("".join(raw))
        elif not character:
            raise MalformedError


def _decoded(raw: str) -> str:
    try:
        text = str(json.loads(raw, strict=False))
        text.encode()  # half a surrogate pair is no text
    except ValueError as error:
        raise MalformedError from error
    return text


def container(feed: Feed, say: Say) -> Steps[bool]:
    """Hand an object or array to `say` as it comes.

    It ends with its last bracket, or where no JSON can go on: there it stays broken. What models often write
    and JSON lacks becomes JSON: a comma before a bracket that closes, Python's words, line breaks inside a
    string, and a backslash that escapes nothing.

    Returns:
        Whether it is whole, by its brackets.
    """
    return (yield from _Container(feed, say).read())


class _Container:
    def __init__(self, feed: Feed, say: Say) -> None:
        self._feed = feed
        self._say = say
        self._closing: list[str] = []

    def read(self) -> Steps[bool]:
        while True:
            character = yield from self._behind_commas()
            if not (yield from self._go_on(character)):
                return False
            if not self._closing:
                return True

    def _behind_commas(self) -> Steps[str]:
        while (character := (yield from self._feed.peek())) == ",":
            yield from self._feed.take()
            space = yield from self._feed.word(SPACE.__contains__)
            if (yield from self._feed.peek()) not in ("}", "]"):
                self._say("," + space)
        return character

    def _go_on(self, character: str) -> Steps[bool]:
        """Take what begins with `character`; ``False`` where no JSON does."""
        if character == '"':
            return (yield from _raw_string(self._feed, self._say))
        if character in _PYTHON:
            return (yield from self._word(*_PYTHON[character]))
        if character in _OPENING:
            self._closing.append(_OPENING[character])
        elif character in ("}", "]"):
            if character != self._closing[-1]:
                return False
            self._closing.pop()
        elif character not in _PLAIN:
            return False
        self._say((yield from self._feed.take()))
        return True

    def _word(self, written: str, meant: str) -> Steps[bool]:
        found = yield from self._feed.starts_with(written)
        if found:
            self._say(meant)
        return found


def _raw_string(feed: Feed, say: Say) -> Steps[bool]:
    say((yield from feed.take()))
    while True:
        character = yield from feed.take()
        if character == "\\":
            say(_escape((yield from feed.take())))
            continue
        say(_inside_string(character))
        if character in ('"', ""):
            return bool(character)


def _escape(character: str) -> str:
    """A backslash and what stands behind it, as JSON has it."""
    if character in _ESCAPED or not character:
        return "\\" + character
    return character if character == "'" else "\\\\" + _inside_string(character)


def _inside_string(character: str) -> str:
    return json.dumps(character)[1:-1] if "" < character < " " else character


def aside(feed: Feed) -> Steps[None]:
    """Any JSON value, passed over.

    Raises:
        MalformedError: There is none.
    """
    character = yield from feed.space()
    if character == '"':
        yield from string(feed)
    elif character in _OPENING:
        if not (yield from container(feed, _nothing)):
            raise MalformedError
    elif not (yield from feed.word(lambda found: found not in ",}]" + SPACE)):
        raise MalformedError


def _nothing(_: str) -> None:
    """What is passed over."""

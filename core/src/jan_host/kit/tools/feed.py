"""A model's text as it arrives, read as if it were all there."""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Reads on and yields whenever it needs more text; returns what it has read."""

SPACE = " \t\r\n"


class MalformedError(Exception):
    """What was read is not of the form that was expected, so it is plain text."""


class Feed:
    """Text that arrives piece by piece.

    What reads from it is a generator that yields to wait. It sees one character after the other and never
    where a piece ends, so that the outcome does not depend on how the text was split.
    """

    __slots__ = ("_at", "_ended", "_mark", "_text")

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._mark: int | None = None
        self._ended = False

    def add(self, text: str) -> None:
        """More text has arrived."""
        start = self._at if self._mark is None else self._mark
        self._text = self._text[start:] + text
        self._at -= start
        self._mark = None if self._mark is None else 0

    def end(self) -> None:
        """No more text will come."""
        self._ended = True

    def mark(self) -> None:
        """Remember this place, to `rewind` to."""
        self._mark = self._at

    def forget(self) -> None:
        """There will be no `rewind`."""
        self._mark = None

    def rewind(self) -> None:
        """Go back to the mark."""
        if self._mark is not None:
            self._at, self._mark = self._mark, None

    def peek(self) -> Steps[str]:
        """The next character, which stays; ``""`` at the end."""
        while self._at >= len(self._text):
            if self._ended:
                return ""
            yield
        return self._text[self._at]

    def take(self) -> Steps[str]:
        """The next character; ``""`` at the end."""
        character = yield from self.peek()
        self._at += len(character)
        return character

    def space(self) -> Steps[str]:
        """The white space that comes next, and what stands behind it, which stays."""
        while True:
            character = yield from self.peek()
            if not character or character not in SPACE:
                return character
            self._at += 1

    def word(self, characters: Callable[[str], bool]) -> Steps[str]:
        """The longest run of `characters`."""
        found = []
        while (character := (yield from self.peek())) and characters(character):
            found.append(character)
            self._at += 1
        return "".join(found)

    def starts_with(self, literal: str) -> Steps[bool]:
        """Whether `literal` comes next; it is taken then, and nothing else is."""
        size = len(literal)
        while not self._ended and len(self._text) - self._at < size:
            if not literal.startswith(self._text[self._at :]):
                return False
            yield
        found = self._text.startswith(literal, self._at)
        if found:
            self._at += size
        return found

    def expect(self, literal: str) -> Steps[None]:
        """Take `literal`.

        Raises:
            MalformedError: Something else stands there.
        """
        if not (yield from self.starts_with(literal)):
            raise MalformedError

    def until(self, markers: Sequence[str], say: Callable[[str], None]) -> Steps[str | None]:
        """Hand the text before the first of `markers` to `say`, as early as it is certain.

        Returns:
            The marker, which is taken; the longest where several begin there. ``None``: the text ended.
        """
        while True:
            place, marker, certain = _find(self._text, self._at, markers, self._ended)
            if place > self._at:
                say(self._text[self._at : place])
            self._at = place
            if marker and certain:
                self._at += len(marker)
                return marker
            if self._ended:
                return None
            yield


def _find(text: str, start: int, markers: Sequence[str], ended: bool) -> tuple[int, str, bool]:
    """Where the first marker begins or may begin, which one it is, and whether that is certain."""
    firsts = {marker[0] for marker in markers}
    size = len(text)
    for place in range(start, size):
        if text[place] not in firsts:
            continue
        whole = max((m for m in markers if text.startswith(m, place)), key=len, default="")
        rest = text[place:]
        longer = not ended and any(
            len(m) > len(rest) and len(m) > len(whole) and m.startswith(rest) for m in markers
        )
        if whole or longer:
            return place, whole, not longer
    return size, "", False

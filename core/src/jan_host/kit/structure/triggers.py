"""Where a free text begins to be held to a form: triggers, looked for token by token."""

from typing import NamedTuple

import msgspec

from jan_host.kit.structure.forms import Form

_BETWEEN = b" \t\r\n;,"
"""What may stand before the beginning of an answer's content, and between one held part and the next."""


class Trigger(msgspec.Struct, frozen=True):
    """A text from which on a form holds."""

    text: str
    """Control tokens are written out in it."""
    skip: int = 0
    """How many characters of it stand before what the form describes."""
    first: bool = False
    """Whether it counts only where content begins, or directly behind a part that was held to the form."""


class Enclosed(NamedTuple):
    """What stands around a part of a text, such as reasoning, in which no trigger counts."""

    opening: str
    closing: str


class LazyForm(msgspec.Struct, frozen=True, kw_only=True):
    """A form that holds from any of its triggers on, up to where its text may end."""

    form: Form
    triggers: tuple[Trigger, ...]
    enclosed: tuple[Enclosed, ...] = ()
    """What may stand around reasoning at the beginning of the answer."""
    inside: Enclosed | None = None
    """What the prompt has opened already."""
    strict: bool = False
    """Whether the form is waited for, and a request refused where it can't be compiled; else texts are free
    until it is, or for good."""


class Watch:
    """Looks for triggers in a text that arrives piece by piece; keeps no more of it than it needs.

    Args:
        lazy: What to look for.
    """

    def __init__(self, lazy: LazyForm) -> None:
        self._first = _encoded(lazy.triggers, first=True)
        self._anywhere = _encoded(lazy.triggers, first=False)
        self._reach = max((len(text) for text, _ in self._anywhere), default=1) - 1
        self._enclosed = [(each.opening.encode(), each.closing.encode()) for each in lazy.enclosed]
        self._closing = lazy.inside.closing.encode() if lazy.inside is not None else None
        self._at_first = True
        self._text = b""

    def push(self, data: bytes) -> bytes | None:
        """The text from what the form describes on, once `data` completes a trigger.

        Args:
            data: The next bytes of the text, control tokens written out.
        """
        self._text += data
        if self._enclosed or self._closing is not None:
            self._pass_enclosed()
        if self._closing is not None:
            return None
        if self._at_first and (found := self._found_first()) is not None:
            return found
        found = self._found_anywhere()
        if found is None and not self._at_first:
            self._text = self._text[-self._reach :] if self._reach else b""
        return found

    def resume(self, data: bytes) -> None:
        """Look on behind a part that was held to the form.

        Args:
            data: The bytes of the token that ended it, which may have begun what comes next.
        """
        self._enclosed, self._at_first = [], bool(self._first)
        self._text = b"" if self._at_first else data[-self._reach :]

    def give_up(self) -> None:
        """Look on behind a trigger behind which something else stands than what the form describes."""
        self._enclosed, self._at_first, self._text = [], False, b""

    def _pass_enclosed(self) -> None:
        """Go on behind what is enclosed, where the text begins with it."""
        if self._closing is None:
            begun = self._text.lstrip()
            opened = next((pair for pair in self._enclosed if begun.startswith(pair[0])), None)
            if opened is None:
                if not any(opening.startswith(begun) for opening, _ in self._enclosed):
                    self._enclosed = []
                return
            self._text, self._closing = begun[len(opened[0]) :], opened[1]
        place = self._text.find(self._closing)
        if place < 0:
            self._text = self._text[-len(self._closing) :]
            return
        self._text = self._text[place + len(self._closing) :]
        self._enclosed, self._closing = [], None

    def _found_first(self) -> bytes | None:
        begun = self._text.lstrip(_BETWEEN)
        for text, skip in self._first:
            if begun.startswith(text):
                return begun[skip:]
        self._at_first = bool(self._enclosed) or any(text.startswith(begun) for text, _ in self._first)
        return None

    def _found_anywhere(self) -> bytes | None:
        places = [(place, skip) for text, skip in self._anywhere if (place := self._text.find(text)) >= 0]
        if not places:
            return None
        place, skip = min(places)
        return self._text[place + skip :]


def _encoded(triggers: tuple[Trigger, ...], *, first: bool) -> list[tuple[bytes, int]]:
    """Bytes, and how many of them to skip, of the triggers of one kind."""
    return [
        (each.text.encode(), len(each.text[: each.skip].encode())) for each in triggers if each.first is first
    ]

"""Where in the text of a model.json a field stands, also where the text is no strict JSON."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|\#[^\n]*|/\*(?:.*?\*/|.*))
    |(?P<text>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)
    |(?P<mark>[][{}:,])
    |(?P<word>[^][{}:,"'\#\s]+)""",
    re.VERBOSE | re.DOTALL,
)
"""What has no end goes on to the end, so that no text takes long."""
MAX_DEPTH = 64
"""Brackets inside brackets; behind more nothing is found."""


class Place(NamedTuple):
    """A place in a text; both numbers begin with 1."""

    line: int
    column: int


@dataclass(slots=True)
class _Open:
    """An object or a list that has begun and not ended."""

    path: str
    is_list: bool
    count: int = 0
    value: str | None = None
    """The path of the value that comes next."""


@dataclass(slots=True)
class Places:
    """The places of all keys and items of a text.

    Paths look like ``sources[0].url``. Brackets that are missing are missed; what stands behind
    them is found under another path than a reader gives it, or not at all.
    """

    text: str
    repeated: Place | None = None
    """The first key that its object has already."""
    _offsets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stack = [_Open("", is_list=False)]
        last: re.Match[str] | None = None
        for token in _TOKEN.finditer(self.text):
            if len(stack) > MAX_DEPTH:
                break
            if token["comment"]:
                continue
            if token["mark"]:
                self._follow(token, last, stack)
                last = None
            else:
                self._note_item(token, stack[-1])
                last = token

    def find(self, path: str) -> Place | None:
        """Where the key or item stands, else the nearest thing around it; ``None`` without either."""
        if path not in self._offsets:  # brackets got lost, perhaps; its name may tell
            name = re.escape(path.rpartition(".")[2])
            alone = re.search(rf"""(?<![\w.-])["']?{name}["']?[ \t]*:""", self.text)
            if alone:
                return self.at(alone.start())
        while path:
            if path in self._offsets:
                return self.at(self._offsets[path])
            path = re.sub(r"(\.|^)[^.\[\]]*$|\[\d+\]$", "", path)
        return None

    def at(self, offset: int) -> Place:
        """The place of a character."""
        begin = self.text.rfind("\n", 0, offset) + 1
        return Place(self.text.count("\n", 0, offset) + 1, offset - begin + 1)

    def _follow(self, token: re.Match[str], last: re.Match[str] | None, stack: list[_Open]) -> None:
        mark, here = token["mark"], stack[-1]
        if mark == ":" and last is not None and not here.is_list:
            name = last["word"] or last["text"][1:-1]
            here.value = f"{here.path}.{name}" if here.path else name
            if here.value in self._offsets:
                self.repeated = self.repeated or self.at(last.start())
            self._offsets.setdefault(here.value, last.start())
        elif mark in "{[":
            self._note_item(token, here)
            stack.append(_Open(self._value_path(here), is_list=mark == "["))
        elif mark in "}]" and len(stack) > 1:
            stack.pop()
        elif mark == "," and here.is_list:
            here.count += 1

    def _note_item(self, token: re.Match[str], here: _Open) -> None:
        if here.is_list:
            self._offsets.setdefault(self._value_path(here), token.start())

    def _value_path(self, here: _Open) -> str:
        return f"{here.path}[{here.count}]" if here.is_list else here.value or here.path

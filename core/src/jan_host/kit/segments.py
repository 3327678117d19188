"""A rendered prompt in pieces: control tokens apart from text, whatever users typed."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from jan_host.contract.errors import InvalidRequestError

_MARKERS = (range(0xFDD0, 0xFDF0), range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
"""Noncharacters, which no text should hold, then the private use areas."""


class Segment(NamedTuple):
    """A piece of a rendered prompt.

    `control` is true for one control token that the template wrote, and only these may be
    tokenized as control tokens; everything else is text, also where it looks like one.
    """

    text: str
    control: bool
    image: bool = False
    """Whether the next image of the conversation stands here; there is no text then."""


def text(segments: Iterable[Segment]) -> str:
    """The segments put together: the prompt as a reader sees it."""
    return "".join(segment.text for segment in segments)


class ControlTokens:
    """Keeps control tokens that users typed apart from those that a template writes.

    Before rendering, `mark` puts a marker (one character that occurs nowhere else) into every
    control token inside a user's text, and into a beginning of one at the text's end. The marker
    travels through the template with the text, so that a template can still trim, split or search
    it. After rendering, `split` takes for control what is still whole, and removes the marker.

    Args:
        tokens: The texts of the vocabulary's control tokens. Tokens that belong to ordinary
            text, such as ``</think>``, are not among them: templates look for these in messages.
    """

    def __init__(self, tokens: Collection[str]) -> None:
        self.tokens = frozenset(token for token in tokens if token)
        self._starts = {token[:size] for token in self.tokens for size in range(1, len(token))}
        self._longest_start = max(map(len, self._starts), default=0)
        self._splitters: dict[str, re.Pattern[str]] = {}
        if self.tokens:
            anywhere = _alternatives(self.tokens)
            self._is_there = re.compile(anywhere).search
            self._each_start = re.compile(f"(?={anywhere})(?s:.)")

    def marker(self, values: Iterable[Any], avoid: str) -> str:
        """A character that occurs in none of the `values`' strings, the control tokens and `avoid`."""
        found = [avoid, *self.tokens, *strings(values)]
        first = chr(_MARKERS[0][0])
        if not any(first in text for text in found):
            return first
        taken = set().union(*found)
        free = (chr(code) for codes in _MARKERS for code in codes if chr(code) not in taken)
        marker = next(free, None)
        if marker is None:
            raise InvalidRequestError(
                "The messages use every character of Unicode's private areas. Send fewer."
            )
        return marker

    def mark(self, value: Any, marker: str) -> Any:
        """`value` with the marker in every control token of every string in it, keys included."""
        if isinstance(value, str):
            return self._mark_text(value, marker)
        if isinstance(value, dict):
            return {self.mark(key, marker): self.mark(item, marker) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.mark(item, marker) for item in value]
        return value

    def _mark_text(self, text: str, marker: str) -> str:
        if not self.tokens:
            return text
        size = len(text)
        for start in range(size - 1, max(0, size - self._longest_start) - 1, -1):
            if text[start:size] in self._starts:
                # The template may put the rest of the token behind it.
                text = text[: start + 1] + marker + text[start + 1 :]
        if self._is_there(text) is None:  # far quicker than looking ahead from each character
            return text
        return self._each_start.sub(lambda match: match[0] + marker, text)

    def split(self, rendered: str, marker: str) -> list[Segment]:
        """The control tokens of `rendered` and the text between them, without the marker."""
        if not self.tokens:
            return [Segment(rendered, False)] if rendered else []
        segments = []
        position = 0
        for match in self._splitter(marker).finditer(rendered):
            segments.append(Segment(rendered[position : match.start()].replace(marker, ""), False))
            segments.append(Segment(match[0], True))
            position = match.end()
        segments.append(Segment(rendered[position:].replace(marker, ""), False))
        return [segment for segment in segments if segment.text]

    def _splitter(self, marker: str) -> re.Pattern[str]:
        known = self._splitters.get(marker)
        if known is None:
            # A token of one character has no inside: its marker stands behind it.
            single = {token for token in self.tokens if len(token) == 1}
            choices = [_alternatives(self.tokens - single)] if self.tokens != single else []
            choices += [f"{_alternatives(single)}(?!{re.escape(marker)})"] if single else []
            known = re.compile("|".join(choices))
            self._splitters = {marker: known}  # the last one only: nearly always the same
        return known


def with_images(segments: Iterable[Segment], mark: str) -> list[Segment]:
    """The segments, with one of its own for each `mark` in their texts, where an image stands."""
    found: list[Segment] = []
    for segment in segments:
        if segment.control or mark not in segment.text:
            found.append(segment)
            continue
        for place, part in enumerate(segment.text.split(mark)):
            found += [Segment("", False, image=True)] if place else []
            found += [Segment(part, False)] if part else []
    return found


def strings(values: Iterable[Any]) -> Iterator[str]:
    """Every string inside `values`, keys included."""
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending.extend(value.keys())
            pending.extend(value.values())
        elif isinstance(value, (list, tuple)):
            pending.extend(value)


def _alternatives(tokens: Collection[str]) -> str:
    """A pattern that matches the longest of `tokens`, by their common beginnings.

    A plain list of alternatives is tried one by one, and some vocabularies have thousands.
    """
    ordered = sorted(tokens)
    return "(?:" + "|".join(_branches(ordered, 0)) + ")"


def _branches(ordered: list[str], depth: int) -> Iterator[str]:
    """Patterns for the rests behind `depth` characters, which all of `ordered` share; longest first."""
    start = 0
    empty = ordered[0] if len(ordered[0]) == depth else None
    if empty is not None:
        start = 1
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][depth] == ordered[start][depth]:
            end += 1
        shared = _shared(ordered[start], ordered[end - 1])
        head = re.escape(ordered[start][depth:shared])
        rest = list(_branches(ordered[start:end], shared)) if end - start > 1 else []
        yield head + (f"(?:{'|'.join(rest)})" if rest else "")
        start = end
    if empty is not None:
        yield ""


def _shared(first: str, last: str) -> int:
    """How many characters two strings begin with alike."""
    size = min(len(first), len(last))
    return next((index for index in range(size) if first[index] != last[index]), size)

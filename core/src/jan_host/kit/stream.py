"""Bytes of generated tokens become text that is safe to show."""

import codecs
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

_Node = dict[str, int]
_ROOT: Final = 0


class TextStream:
    """Turns the bytes of one generation into text, piece by piece.

    `push` returns the text that is certain by now. Held back are bytes that may be the beginning of
    a UTF-8 character, and characters that may be the beginning of a stop string. Bytes that are no
    UTF-8 become U+FFFD, as ``bytes.decode("utf-8", "replace")`` does.

    The text ends before the stop string whose last character comes first; where several end there,
    before the longest. So the outcome is known as soon as it can be, and does not depend on how the
    bytes were split. Put together, what `push` and `flush` return is the whole decoded text up to there.

    Costs are linear in the text and the stop strings, whatever they are (Aho and Corasick 1975).

    Args:
        stops: The stop strings; empty ones are ignored.
        shown: Those of them that the text ends with, instead of before them.
    """

    __slots__ = ("_automaton", "_decode", "_held", "_shown", "_state", "stopped")

    def __init__(self, stops: Sequence[str] = (), *, shown: Collection[str] = ()) -> None:
        self.stopped: str | None = None
        """The stop string that ended the text, or ``None``."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        wanted = tuple(stop for stop in stops if stop)
        self._automaton = _automaton(wanted) if wanted else None
        self._state = _ROOT
        self._shown = shown
        self._held = ""

    def push(self, data: bytes) -> str:
        """The text that is safe to show after `data`, the bytes of the next token or tokens.

        Once a stop string was found, nothing comes any more.
        """
        return self.push_text(self._decode(data)) if self.stopped is None else ""

    def push_text(self, text: str) -> str:
        """`push`, for text that is decoded already."""
        if self.stopped is not None:
            return ""
        return text if self._automaton is None else self._scan(text, self._automaton)

    def flush(self) -> str:
        """What was held back, at the end of the generation."""
        if self.stopped is not None:
            return ""
        text = self._decode(b"", True)
        if self._automaton is None:
            return text
        text = self._scan(text, self._automaton) + self._held
        self._held, self._state = "", _ROOT
        return text

    def _scan(self, text: str, automaton: "_Automaton") -> str:
        state, after = self._state, automaton.after
        for position, character in enumerate(text, 1):
            while (step := after[state].get(character)) is None and state != _ROOT:
                state = automaton.fallback[state]
            state = step or _ROOT
            if (stop := automaton.ending[state]) is not None:
                self.stopped = stop
                seen = self._held + text[:position]
                self._held = ""
                return seen if stop in self._shown else seen[: len(seen) - len(stop)]
        self._state = state
        return self._release(self._held + text, automaton.depth[state])

    def _release(self, seen: str, held: int) -> str:
        certain = len(seen) - held
        self._held = seen[certain:]
        return seen[:certain]


class _Automaton:
    """The prefixes of all stop strings as states; the state says which one the text ends with.

    `after[state]` leads to the next state by character, `fallback[state]` is the longest other
    prefix that the text ends with too, `depth[state]` the prefix's length in characters, and
    `ending[state]` the longest stop string that the text ends with.
    """

    __slots__ = ("after", "depth", "ending", "fallback")

    def __init__(self, stops: Sequence[str]) -> None:
        self.after: list[_Node] = [{}]
        self.depth: list[int] = [0]
        self.ending: list[str | None] = [None]
        self.fallback: list[int] = [_ROOT]
        for stop in stops:
            self._add(stop)
        self._link()

    def _add(self, stop: str) -> None:
        state = _ROOT
        for character in stop:
            known = self.after[state].get(character)
            if known is None:
                known = self.after[state][character] = len(self.after)
                self.after.append({})
                self.depth.append(self.depth[state] + 1)
                self.ending.append(None)
                self.fallback.append(_ROOT)
            state = known
        self.ending[state] = stop

    def _link(self) -> None:
        pending = list(self.after[_ROOT].values())
        for state in pending:  # grows while it is walked: breadth first
            for character, child in self.after[state].items():
                other = self.fallback[state]
                while character not in self.after[other] and other != _ROOT:
                    other = self.fallback[other]
                self.fallback[child] = self.after[other].get(character, _ROOT)
                pending.append(child)
            if self.ending[state] is None:
                self.ending[state] = self.ending[self.fallback[state]]


@lru_cache(maxsize=4)
def _automaton(stops: tuple[str, ...]) -> _Automaton:
    """One for all choices and prompts of a request: that of many long stop strings takes megabytes."""
    return _Automaton(stops)

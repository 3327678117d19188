"""Caches of sequences that ended, kept for prompts that begin the same."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jan_host.kit.generation import common_prefix

from jan_host_onnx.generation.cache import Cache, Piece

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """The tokens of a row of a cache."""

    tokens: Tokens
    cache: Cache
    row: int

    def piece(self, length: int) -> Piece:
        """Its first tokens."""
        return Piece(self.cache, self.row, length)


class Shelf:
    """Keeps the newest, up to a number of tokens.

    Args:
        room: Tokens of all of them together.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: list[Kept] = []

    def keep(self, kept: Kept) -> None:
        """Put one on the shelf; what it continues and the oldest go."""
        self._kept = [
            each for each in self._kept if common_prefix(each.tokens, kept.tokens) < len(each.tokens)
        ]
        self._kept.append(kept)
        while sum(len(each.tokens) for each in self._kept) > self._room:
            self._kept.pop(0)

    def best(self, wanted: Tokens, running: Iterable[Kept]) -> tuple[Kept | None, int]:
        """Who begins most like `wanted`, on the shelf or `running`, and for how many tokens."""
        best: Kept | None = None
        longest = 0
        for each in (*self._kept, *running):
            shared = common_prefix(each.tokens, wanted)
            if shared > longest:
                best, longest = each, shared
        if best in self._kept:
            self._kept.remove(best)  # it is the last to go now
            self._kept.append(best)
        return best, longest

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

"""Prefixes in RAM: what sequences held before their cells were needed for something else."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jan_host_llamacpp.adapters.asked import Scales
from jan_host_llamacpp.cells import CellCopy

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Tokens, and a copy of the cells that held them."""

    tokens: Tokens
    scales: Scales
    """With how much of each adapter they were computed."""
    cells: CellCopy
    shortest: int
    """The fewest tokens that a sequence can be cut to which holds the copy."""

    @property
    def ready(self) -> int:
        """How many tokens are held."""
        return len(self.tokens)


class Shelf:
    """Keeps those used last, up to a number of bytes.

    Args:
        room: Bytes of all copies together.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.used = 0
        """Bytes."""
        self._kept: dict[Kept, None] = {}  # the one used last is the last

    def put(self, kept: Kept) -> list[Kept]:
        """Keep one; those that had to go for it, the least recently used. It must fit into the room."""
        gone = []
        for oldest in list(self._kept):
            if self.used + kept.cells.size <= self.room:
                break
            self.take(oldest)
            gone.append(oldest)
        self._kept[kept] = None
        self.used += kept.cells.size
        return gone

    def touch(self, kept: Kept) -> None:
        """It was used: it is the last to go now."""
        del self._kept[kept]
        self._kept[kept] = None

    def take(self, kept: Kept) -> None:
        """Keep it no longer."""
        del self._kept[kept]
        self.used -= kept.cells.size

"""An image as a model reads it: vectors in the place of tokens, and where in the context they stand."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]

_PLAIN: Final = 1
_PLANAR: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An encoded image, or a part of one. Nobody changes it, and many prompts may hold it."""

    vectors: Vectors
    """One row for each token that it takes the place of."""
    positions: int
    """How many positions of the context it takes."""
    planes: tuple[Places, Places] | None
    """Coordinates in a plane at position 0, four rows, and their change with the position (M-RoPE)."""
    whole: bool
    """Whether all vectors must be computed at once, since they see each other."""

    @property
    def size(self) -> int:
        """How many tokens it takes the place of."""
        return len(self.vectors)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.vectors.nbytes + (sum(plane.nbytes for plane in self.planes) if self.planes else 0)

    def places(self, start: int, first: int, size: int) -> Places:
        """Where vectors stand, as a batch wants it: one row, or four.

        Args:
            start: The position at which the image begins.
            first: Which vector is the first.
            size: How many.
        """
        if self.planes is None:
            return np.arange(start + first, start + first + size, dtype=np.int32)[np.newaxis]
        origin, change = (plane[:, first : first + size] for plane in self.planes)
        return np.ascontiguousarray(origin + start * change, np.int32)


def stand_ins(digest: bytes, size: int) -> list[int]:
    """Ids that stand for an image among those of tokens, all below 0.

    Equal images have equal ids, so that a prompt with the same image finds what was computed of another.
    Two images that differ share no id, but for one chance in two thousand millions for each vector.

    Args:
        digest: The hash of the image, and of which part of it this is.
        size: How many.
    """
    needed = hashlib.shake_128(digest).digest(4 * size)
    ids: list[int] = (-1 - (np.frombuffer(needed, np.int32) & 0x7FFFFFFF)).tolist()
    return ids

"""Which sequences are computed in a step: all that want the same scales of the adapters, in turns."""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from jan_host_llamacpp.adapters.asked import Scales

T = TypeVar("T")

_STEPS: Final = 4
"""How long a turn is, in steps: to change the scales makes llama.cpp plan its work anew."""


class Turns(Generic[T]):
    """Takes turns among sets of scales, so that nobody waits for longer than the others' turns.

    Args:
        scales_of: What an item wants.
    """

    def __init__(self, scales_of: Callable[[T], Scales]) -> None:
        self._scales_of = scales_of
        self._turn: Scales = ()
        self._left = 0

    def next(self, items: Sequence[T]) -> Sequence[T]:
        """Those of `items` that are computed now."""
        wanted = {self._scales_of(item) for item in items}
        if len(wanted) < 2:
            self._left = 0
            return items
        if self._turn not in wanted or not self._left:
            later = [scales for scales in wanted if scales > self._turn]
            self._turn = min(later or wanted)
            self._left = _STEPS
        self._left -= 1
        return [item for item in items if self._scales_of(item) == self._turn]

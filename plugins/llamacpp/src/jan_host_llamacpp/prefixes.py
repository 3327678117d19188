"""What need not be computed again: the beginnings of prompts that sequences hold, or that RAM holds."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jan_host.kit.generation import Sequence

from jan_host_llamacpp.adapters.asked import Scales
from jan_host_llamacpp.adapters.prompt import scales_of
from jan_host_llamacpp.kv import KvCache
from jan_host_llamacpp.radix import RadixTree
from jan_host_llamacpp.sampling import Sampler
from jan_host_llamacpp.shelf import Kept, Shelf

Tokens = npt.NDArray[np.int32]
_NOTHING = np.empty(0, np.int32)
_FEWEST_KEPT = 8
"""Tokens that are worth a copy in RAM."""
_LEAST_PART = 32
"""Nor is a copy worth it where less than this part would be lost: it takes time with all that is held."""


class Slot:
    """A sequence number of the context, and what its cells hold."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sequence: Sequence[Sampler] | None = None
        self.parked: Tokens = _NOTHING
        """What a finished sequence left, ready for a prompt that begins the same."""
        self.scales: Scales = ()
        """With how much of each adapter its cells are computed."""
        self.last_used = 0

    def begin(self, sequence: Sequence[Sampler]) -> None:
        """Its cells belong to `sequence` now."""
        self.sequence = sequence
        self.scales = scales_of(sequence)
        self.parked = _NOTHING

    @property
    def ready(self) -> int:
        """How many tokens its cells hold now."""
        return len(self.parked) if self.sequence is None else self.sequence.past


class Found(NamedTuple):
    """Who holds the most of a prompt's beginning, and how much of it can be taken over."""

    source: Slot | Kept | None
    length: int


class Prefixes:
    """Knows who holds what, and moves it to where it is needed.

    Of a sequence that runs, the tree has the prompt from the start on, though its cells come one by one:
    so a prompt that comes later finds who will have computed its beginning.

    Args:
        kv: The KV cache.
        room: Bytes of RAM for what no longer fits into the KV cache.
    """

    def __init__(self, kv: KvCache, room: int) -> None:
        self._kv = kv
        self._tree: RadixTree[Slot | Kept] = RadixTree()
        self._shelf = Shelf(room)

    def hold(self, slot: Slot) -> None:
        """Note what a slot holds, or will hold."""
        self._tree.put(slot, slot.parked if slot.sequence is None else slot.sequence.tokens)

    def forget(self, slot: Slot) -> None:
        """Give a slot's cells back; its sequence, if any, starts anew."""
        self._kv.drop(slot.number)
        self.lost(slot)

    def lost(self, slot: Slot) -> None:
        """Note that a slot's cells hold nothing any more."""
        slot.parked = _NOTHING
        if slot.sequence is None:
            self._tree.remove(slot)
        else:
            slot.sequence.past = 0

    def find(self, wanted: Tokens, scales: Scales, *, besides: Slot | None = None) -> Found:
        """The best source for a prompt with these adapters; among equals the one that costs the least."""
        best = Found(None, 0)
        for shared, holders in self._tree.matches(wanted):
            if shared < best.length:
                break
            for holder in holders:
                length = self._usable(holder, shared) if holder.scales == scales else 0
                if holder is not besides and length and self._is_better(Found(holder, length), best):
                    best = Found(holder, length)
        return best

    def ahead(self, wanted: Tokens, scales: Scales) -> list[tuple[Slot, int]]:
        """The sequences that still compute a beginning of a prompt, and up to how many tokens of it."""
        longest: dict[Slot, int] = {}
        for shared, holders in self._tree.matches(wanted):
            for holder in holders:
                if not isinstance(holder, Slot) or holder.sequence is None or holder.scales != scales:
                    continue
                if shared > holder.ready:
                    longest.setdefault(holder, shared)
        return list(longest.items())

    def pays(self, found: Found, held: int) -> bool:
        """Whether to take over what was found, where `held` tokens are there already."""
        if found.source is None or found.length <= held:
            return False
        return self._kv.pays(found.length - held, found.source.ready)

    def move(self, found: Found, target: Slot) -> int:
        """Take over what was found; what only `target` holds goes to RAM.

        Returns:
            How many tokens the target's cells hold now.
        """
        source, length = found
        if isinstance(source, Kept):
            self._use(source, length)
        self.save(target, length if source is target else 0)
        if source is target:
            return self._kv.trim(target.number, length)
        if isinstance(source, Slot):
            return self._kv.share(length, source.number, target.number)
        if isinstance(source, Kept):
            return self._kv.restore(length, source.cells, target.number)
        self._kv.drop(target.number)
        return 0

    def save(self, slot: Slot, stays: int = 0) -> None:
        """Copy a parked slot to RAM if more would be lost than a copy costs, when all behind `stays` goes."""
        if slot.sequence is not None or not self._worth(slot, stays):
            return
        cells = self._kv.save(slot.number, self._shelf.room)
        if cells is None:
            return
        kept = Kept(slot.parked, slot.scales, cells, self._kv.shortest(slot.number))
        for covered in self._covered(kept):
            self._discard(covered)
        for gone in self._shelf.put(kept):
            self._tree.remove(gone)
        self._tree.put(kept, kept.tokens)

    def _covered(self, kept: Kept) -> set[Kept]:
        """Copies that hold nothing but a beginning of another one."""
        if not self._kv.cuts_anywhere:
            return set()
        matches = self._tree.matches(kept.tokens)
        return {
            holder
            for shared, holders in matches
            for holder in holders
            if isinstance(holder, Kept) and holder.scales == kept.scales and holder.ready <= shared
        }

    def _discard(self, kept: Kept) -> None:
        self._shelf.take(kept)
        self._tree.remove(kept)

    def _use(self, kept: Kept, length: int) -> None:
        """A copy is about to be taken over: where nearly all of it is, it need not be kept."""
        if self._kv.cuts_anywhere and not _matters(kept.ready - length, kept.ready):
            self._discard(kept)
        else:
            self._shelf.touch(kept)

    def _worth(self, slot: Slot, stays: int) -> bool:
        if not self._shelf.room:
            return False
        lost = slot.ready - stays
        if self._kv.cuts_anywhere:  # else nothing but the very same state can stand in for it
            lost = min(lost, self._tree.alone(slot))
        return _matters(lost, slot.ready)

    def _usable(self, holder: Slot | Kept, shared: int) -> int:
        """How many of the shared tokens can be taken over from a holder."""
        length = min(shared, holder.ready)
        if length == holder.ready or self._kv.cuts_anywhere:
            return length
        shortest = self._kv.shortest(holder.number) if isinstance(holder, Slot) else holder.shortest
        return length if length >= shortest else 0

    def _is_better(self, one: Found, other: Found) -> bool:
        return (one.length, self._ease(one.source)) > (other.length, self._ease(other.source))

    def _ease(self, source: Slot | Kept | None) -> int:
        """The higher, the less it costs to take over from it."""
        if isinstance(source, Slot):
            return 2 if source.sequence is None else self._kv.shares_freely
        return 1 - self._kv.shares_freely if source is not None else -1


def _matters(lost: int, held: int) -> bool:
    """Whether it costs more to compute the lost ones of the held tokens than to copy all of them."""
    return lost >= max(_FEWEST_KEPT, held // _LEAST_PART)

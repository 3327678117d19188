"""The sequences of a context: who holds which, what each still holds, and which to take next."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from jan_host.kit.generation import Sequence, common_prefix

from jan_host_llamacpp.kv import KvCache
from jan_host_llamacpp.sampling import Sampler

Tokens = npt.NDArray[np.int32]
_NOTHING = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class Lead:
    """A sequence that is computing a prompt whose beginning another one waits for."""

    slot: "Slot"
    sequence: Sequence[Sampler]
    goal: int
    """Tokens that both prompts begin with."""

    @property
    def works_on_it(self) -> bool:
        """Whether the shared beginning is still being computed."""
        return self.slot.sequence is self.sequence and self.sequence.past < self.goal


class Slot:
    """A sequence number of the context, and the tokens that its cells hold."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sequence: Sequence[Sampler] | None = None
        self.parked: Tokens = _NOTHING
        """What a finished sequence left, ready for a prompt that begins the same."""
        self.last_used = 0
        self.follows: Lead | None = None

    @property
    def held(self) -> Tokens:
        """The tokens whose cells are there now."""
        return self.parked if self.sequence is None else self.sequence.tokens[: self.sequence.past]


class Slots:
    """Gives slots to sequences, so that as much of each prompt as possible need not be computed.

    Args:
        kv: The KV cache; it says how many sequences there are.
    """

    def __init__(self, kv: KvCache) -> None:
        self._kv = kv
        self._all = [Slot(number) for number in range(kv.sequences)]
        self._clock = 0

    @property
    def free(self) -> list[Slot]:
        """Slots without a sequence."""
        return [slot for slot in self._all if slot.sequence is None]

    @property
    def busy(self) -> list[Slot]:
        """Slots with a sequence, by number."""
        return [slot for slot in self._all if slot.sequence is not None]

    def take(self, sequence: Sequence[Sampler]) -> Slot:
        """Give the sequence a free slot, and fill `past` with what need not be computed.

        There must be a free one.
        """
        source, shared = self._best_source(sequence)
        slot = min(self.free, key=lambda slot: self._cost(slot, source, shared))
        self._fill(slot, source, shared, sequence)
        slot.sequence = sequence
        slot.parked = _NOTHING
        self._touch(slot)
        slot.follows = self._lead_for(slot, sequence)
        return slot

    def may_compute(self, slot: Slot) -> bool:
        """Whether the slot's sequence need not wait for another one that computes the same beginning."""
        if slot.follows is None:
            return True
        if slot.follows.works_on_it or slot.sequence is None:
            return False
        source, shared = self._best_source(slot.sequence)
        if source is not None and source is not slot and self._pays(shared - slot.sequence.past):
            slot.sequence.past = self._kv.share(shared, source.number, slot.number)
        slot.follows = self._lead_for(slot, slot.sequence)
        return slot.follows is None

    def release(self, slot: Slot) -> None:
        """The sequence of `slot` ended; its tokens stay until the slot is needed."""
        slot.parked = slot.held.copy()
        slot.sequence = None
        slot.follows = None
        self._touch(slot)

    def forget(self, slot: Slot) -> None:
        """Give the cells of `slot` back; its sequence, if any, starts anew."""
        self._kv.drop(slot.number)
        slot.parked = _NOTHING
        if slot.sequence is not None:
            slot.sequence.past = 0

    def close_gap(self) -> None:
        """Move the last busy slot's sequence into a gap before it, if there is one.

        Sequences that are no neighbours are computed one after the other, and a move costs less than
        one such step.
        """
        if not self._kv.wants_neighbours:
            return
        numbers = [slot.number for slot in self.busy]
        if not numbers or numbers[-1] - numbers[0] == len(numbers) - 1:
            return
        last = self._all[numbers[-1]]
        gap = next(slot for slot in self._all[numbers[0] :] if slot.sequence is None)
        moved, parked = last.sequence, gap.parked
        kept = self._kv.swap(last.number, gap.number)
        last.sequence, last.parked = None, parked if kept else _NOTHING
        gap.sequence, gap.parked = moved, _NOTHING
        last.last_used, gap.last_used = gap.last_used, last.last_used
        last.follows, gap.follows = None, last.follows
        if moved is not None and not kept:
            moved.past = 0

    def forget_parked(self) -> bool:
        """Give the cells of all finished sequences back; false when there were none."""
        parked = [slot for slot in self.free if len(slot.parked)]
        for slot in parked:
            self.forget(slot)
        return bool(parked)

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.last_used = self._clock

    def _best_source(self, sequence: Sequence[Sampler]) -> tuple[Slot | None, int]:
        if not self._kv.cuttable:
            return None, 0
        wanted = sequence.tokens[:-1]  # the last token must be computed: its logits are needed
        best: Slot | None = None
        longest = 0
        for slot in self._all:
            shared = common_prefix(slot.held, wanted)
            if shared > longest or (shared == longest > 0 and slot.sequence is None):
                best, longest = slot, shared
        return best, longest

    def _pays(self, tokens: int) -> bool:
        return tokens >= self._kv.share_minimum

    def _lead_for(self, slot: Slot, sequence: Sequence[Sampler]) -> Lead | None:
        """The sequence, of those that came before, that will have computed the most for this one."""
        best: Lead | None = None
        for other in self.busy if self._kv.cuttable else []:
            ahead = other.sequence
            if ahead is None or ahead is sequence or ahead.generated or other.last_used > slot.last_used:
                continue  # only who came later waits, so that nobody waits in a circle
            goal = common_prefix(ahead.tokens, sequence.tokens[:-1])
            if goal > max(ahead.past, best.goal if best else 0) and self._pays(goal - sequence.past):
                best = Lead(other, ahead, goal)
        return best

    def _cost(self, slot: Slot, source: Slot | None, shared: int) -> tuple[bool, int, int]:
        """What is lost by taking a free slot; the smallest is taken."""
        # Taking over a conversation that goes on elsewhere would lose the rest of it.
        takes_over = slot is source and shared * 2 >= len(slot.parked)
        return not takes_over, self._breaks(slot), slot.last_used

    def _breaks(self, slot: Slot) -> int:
        """Into how many groups of neighbours the busy slots would fall."""
        if not self._kv.wants_neighbours:
            return 0
        numbers = sorted([*(other.number for other in self.busy), slot.number])
        return sum(after != before + 1 for before, after in pairwise(numbers))

    def _fill(self, slot: Slot, source: Slot | None, shared: int, sequence: Sequence[Sampler]) -> None:
        if source is slot:
            sequence.past = self._kv.trim(slot.number, shared)
        elif source is not None and self._pays(shared):
            sequence.past = self._kv.share(shared, source.number, slot.number)
        else:
            self._kv.drop(slot.number)
            sequence.past = 0

"""The sequences of a context: who gets which, and who waits for what another one computes."""

from dataclasses import dataclass
from itertools import pairwise

from jan_host.kit.generation import Sequence

from jan_host_llamacpp.adapters.prompt import scales_of
from jan_host_llamacpp.kv import KvCache
from jan_host_llamacpp.prefixes import Found, Prefixes, Slot
from jan_host_llamacpp.sampling import Sampler
from jan_host_llamacpp.vision.prompt import shareable


@dataclass(frozen=True, slots=True)
class Lead:
    """A sequence that is computing a prompt whose beginning another one waits for."""

    slot: Slot
    sequence: Sequence[Sampler]
    goal: int
    """Tokens that both prompts begin with."""

    @property
    def works_on_it(self) -> bool:
        """Whether the shared beginning is still being computed."""
        return self.slot.sequence is self.sequence and self.sequence.past < self.goal


class Slots:
    """Gives slots to sequences, so that as much of each prompt as possible need not be computed.

    Args:
        kv: The KV cache; it says how many sequences there are.
        room: Bytes of RAM for prefixes that no longer fit into the KV cache.
    """

    def __init__(self, kv: KvCache, room: int = 0) -> None:
        self._kv = kv
        self._prefixes = Prefixes(kv, room)
        self._all = [Slot(number) for number in range(kv.sequences)]
        self._leads: dict[Slot, Lead] = {}
        self._clock = 0

    @property
    def free(self) -> list[Slot]:
        """Slots without a sequence."""
        return [slot for slot in self._all if slot.sequence is None]

    @property
    def busy(self) -> list[Slot]:
        """Slots with a sequence, by number."""
        return [slot for slot in self._all if slot.sequence is not None]

    def admits(self, sequence: Sequence[Sampler]) -> bool:
        """Whether there is a free slot, and cells enough for all that its sequence may become."""
        if not self.free:
            return False
        if self._kv.cells is None or not self.busy:
            return True
        running = sum(_most(slot.sequence) for slot in self.busy if slot.sequence is not None)
        return running + _most(sequence) <= self._kv.cells

    def take(self, sequence: Sequence[Sampler]) -> Slot:
        """Give the sequence a free slot, and fill `past` with what need not be computed.

        There must be a free one.
        """
        found = Found(None, 0)
        if not sequence.tells_prompt:
            found = self._prefixes.find(sequence.tokens[: shareable(sequence)], scales_of(sequence))
        slot = min(self.free, key=lambda slot: self._cost(slot, found))
        if found.source is not slot and not self._prefixes.pays(found, 0):
            found = Found(None, 0)
        sequence.past = self._prefixes.move(found, slot)
        slot.begin(sequence)
        self._prefixes.hold(slot)
        self._touch(slot)
        if not sequence.tells_prompt:
            self._follow(slot, sequence)
        return slot

    def may_compute(self, slot: Slot) -> bool:
        """Whether the slot's sequence need not wait for another one that computes the same beginning."""
        lead, sequence = self._leads.get(slot), slot.sequence
        if lead is None or sequence is None:
            return True
        if lead.works_on_it:
            return False
        wanted = sequence.tokens[: shareable(sequence)]
        found = self._prefixes.find(wanted, scales_of(sequence), besides=slot)
        if self._prefixes.pays(found, sequence.past):
            sequence.past = self._prefixes.move(found, slot)
        return not self._follow(slot, sequence)

    def most(self, slot: Slot) -> int | None:
        """How many tokens a slot may compute before others have taken over what they wait for.

        Only where a sequence can't be cut at every token: they need just the state behind those tokens.
        """
        if self._kv.cuts_anywhere:
            return None
        goals = [lead.goal for lead in self._leads.values() if lead.slot is slot and lead.works_on_it]
        return min(goals) - slot.ready if goals else None

    def release(self, slot: Slot) -> None:
        """The sequence of `slot` ended; its tokens stay until the slot is needed."""
        if slot.sequence is not None:
            slot.parked = slot.sequence.tokens[: slot.sequence.past].copy()
        slot.sequence = None
        self._leads.pop(slot, None)
        self._prefixes.hold(slot)
        self._touch(slot)

    def forget(self, slot: Slot) -> None:
        """Give the cells of `slot` back; its sequence, if any, starts anew."""
        self._prefixes.forget(slot)

    def make_room(self) -> bool:
        """Give the cells of the finished sequence back that was used least recently; false: there is none."""
        parked = [slot for slot in self.free if slot.ready]
        if not parked:
            return False
        oldest = min(parked, key=lambda slot: slot.last_used)
        self._prefixes.save(oldest)
        self.forget(oldest)
        return True

    def close_gap(self) -> None:
        """Let the last busy slot change its number with a free one before it, if there is one.

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
        kept = self._kv.swap(last.number, gap.number)
        last.number, gap.number = gap.number, last.number
        self._all.sort(key=lambda slot: slot.number)
        if not kept:
            self._prefixes.lost(last)
            self._prefixes.lost(gap)

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.last_used = self._clock

    def _follow(self, slot: Slot, sequence: Sequence[Sampler]) -> bool:
        """Let the slot wait for who, of those that came before, will have computed the most for it."""
        best: Lead | None = None
        wanted = sequence.tokens[: shareable(sequence)]
        for other, goal in self._prefixes.ahead(wanted, scales_of(sequence)):
            if other.sequence is None or other.last_used >= slot.last_used:
                continue  # only who came later waits, so that nobody waits in a circle
            worth = self._prefixes.pays(Found(other, goal), sequence.past)
            if worth and (best is None or goal > best.goal):
                best = Lead(other, other.sequence, goal)
        if best is None:
            self._leads.pop(slot, None)
        else:
            self._leads[slot] = best
        return best is not None

    def _cost(self, slot: Slot, found: Found) -> tuple[bool, int, bool, int]:
        """What is lost by taking a free slot; the smallest is taken."""
        # Taking over a conversation that goes on elsewhere would lose the rest of it.
        takes_over = slot is found.source and found.length * 4 >= slot.ready * 3
        return not takes_over, self._breaks(slot), slot.ready > 0, slot.last_used

    def _breaks(self, slot: Slot) -> int:
        """Into how many groups of neighbours the busy slots would fall."""
        if not self._kv.wants_neighbours:
            return 0
        numbers = sorted([*(other.number for other in self.busy), slot.number])
        return sum(after != before + 1 for before, after in pairwise(numbers))


def _most(sequence: Sequence[Sampler]) -> int:
    """The tokens that prompt and answer may have together."""
    return len(sequence.job.prompt) + sequence.limit

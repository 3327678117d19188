"""What a step computes: the next tokens of all who generate, and of prompts what keeps those moving."""

from collections.abc import Sequence as Items
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from jan_host.kit.generation import Sequence

from jan_host_llamacpp.adapters.asked import Scales
from jan_host_llamacpp.adapters.turns import Turns
from jan_host_llamacpp.prefixes import Slot
from jan_host_llamacpp.sampling import Sampler
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.vision.prompt import at_least, at_once

_STALL_SECONDS = 0.2
"""How long prompts may hold up the streams of others at each step, when no more wait than stream."""
_ALONE_SECONDS = 1.0
"""How long a step may take while nobody streams: after it, new requests join."""
_EVEN_PART = 4
"""A quarter of the tokens for prompts is divided evenly among them."""
_FEWEST = 32
"""Prompt tokens of a step at least: with fewer, the weights are read too often."""
_IN_BLOCKS = 65
"""From 64 tokens of a sequence on, llama.cpp's flash attention on CPUs reads the cache in blocks. One more:
with a stream for each sequence, the first token is computed together with those of the others."""
_DEEP = 1000
"""Tokens in the cache behind which that costs a third less (SmolLM2: 5.0 ms a token in place of 7.4)."""
_MOST_FORCED = 64
"""Tokens that had to follow a chosen one; more are read as a prompt is."""
_MOST_TOLD = 32
"""Tokens of a step at most where the scores behind each are wanted: each takes a row of the vocabulary, and
from 64 tokens on llama.cpp's flash attention on CPUs rounds in another way than for one (measured with
SmolLM2: log probabilities differ by up to 0.36), so that a prompt would be told otherwise than an answer."""
_NOTHING: npt.NDArray[np.int32] = np.empty(0, np.int32)


@dataclass(slots=True)
class Part:
    """What one sequence computes in a step."""

    slot: Slot
    sequence: Sequence[Sampler]
    size: int
    draft: npt.NDArray[np.int32] = field(default_factory=lambda: _NOTHING)
    """Tokens that are guessed to come next, to be computed along."""
    index: int = -1
    """Where its last token stands in the batch, before the draft."""

    @property
    def scales(self) -> Scales:
        """With how much of each adapter it is computed."""
        return self.slot.scales

    @property
    def completes(self) -> bool:
        """Whether every token of the sequence is computed then, so that the next can be chosen."""
        return self.size == self.sequence.pending

    @property
    def generates(self) -> bool:
        """Whether it goes on with the last chosen token, and those that had to follow it."""
        return self.sequence.generated > 0 and self.sequence.pending <= _MOST_FORCED

    @property
    def outputs(self) -> int:
        """Behind how many of its last tokens the scores are wanted, those of the draft among them."""
        if self.sequence.tells_prompt and not self.sequence.generated:
            return self.size
        return self.completes + len(self.draft)


class Pace:
    """How many prompt tokens a step may have, by how long they took until now."""

    def __init__(self) -> None:
        self._seconds_per_token = 0.0

    def budget(self, capacity: int, generating: int, reading: int, *, deep: bool) -> int:
        """Prompt tokens for a step: the more wait for each one that streams, the longer a step may be.

        Args:
            capacity: Tokens of a batch.
            generating: Sequences that stream.
            reading: Sequences whose prompts are computed, or wait for one that is.
            deep: Whether a prompt is computed of which much is in the cache.
        """
        if not self._seconds_per_token:
            return _FEWEST if generating else capacity
        seconds = _ALONE_SECONDS
        if generating:
            seconds = min(_ALONE_SECONDS, _STALL_SECONDS * max(1.0, reading / generating))
        fitting = int(seconds / self._seconds_per_token)
        if deep and fitting < _IN_BLOCKS <= _ALONE_SECONDS / self._seconds_per_token:
            return _IN_BLOCKS
        return max(_FEWEST, fitting)

    def learn(self, seconds: float, tokens: int) -> None:
        """A step with prompts took so long."""
        latest = seconds / tokens
        known = self._seconds_per_token or latest
        self._seconds_per_token = 0.7 * known + 0.3 * latest


def plan(slots: Slots, capacity: int, pace: Pace, turns: Turns[Part]) -> list[Part]:
    """What every generating sequence goes on with, then prompts under a budget; in order of slots.

    Args:
        slots: The sequences.
        capacity: Tokens of a batch.
        pace: Says how much of prompts a step may have.
        turns: Says whose step it is where sequences want other adapters.
    """
    busy = [Part(slot, slot.sequence, slot.sequence.pending) for slot in slots.busy if slot.sequence]
    busy = [*turns.next(busy)]
    parts = [part for part in busy if part.generates]
    prompts = [part for part in busy if not part.generates]
    reading = [part for part in prompts if slots.may_compute(part.slot)]
    most_each = max(1, capacity // max(1, len(busy)))
    for part in parts:
        part.size = min(part.size, most_each)
    room = capacity - sum(part.size for part in parts)
    deep = any(part.sequence.past >= _DEEP for part in reading)
    budget = min(room, pace.budget(capacity, len(parts), len(prompts), deep=deep))
    for part, size in zip(reading, prompt_shares(budget, [_most(p, slots) for p in reading]), strict=True):
        part.size = at_least(part.sequence, size)
    parts += [part for part in reading if part.size]
    # llama.cpp computes neighbours together only when they stand in order.
    return sorted(parts, key=lambda part: part.slot.number)


def _most(part: Part, slots: Slots) -> int:
    """How many tokens of a prompt can be computed at once."""
    pending = at_once(part.sequence, part.sequence.pending)
    most = min(pending, slots.most(part.slot) or pending)
    return min(most, _MOST_TOLD) if part.sequence.tells_prompt else most


def prompt_shares(budget: int, wanted: Items[int]) -> list[int]:
    """Divide `budget` among prompts of which `wanted` tokens are still to be computed.

    A part is divided evenly, so that nobody starves. The rest goes to those that need the least until
    their first answer: shortest remaining time first makes the mean wait as short as it can be, and
    with prompts of one length the first tokens come one after the other and not all at the end.
    """
    shares = _evenly(budget // _EVEN_PART, wanted)
    left = budget - sum(shares)
    for index in sorted(range(len(wanted)), key=lambda index: wanted[index]):
        more = min(wanted[index] - shares[index], left)
        shares[index] += more
        left -= more
    return shares


def _evenly(budget: int, wanted: Items[int]) -> list[int]:
    """Even shares; what one does not need goes to the others, and nobody gets more than it wants."""
    shares = [0] * len(wanted)
    smallest_first = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for position, index in enumerate(smallest_first):
        shares[index] = min(wanted[index], -(-budget // (len(wanted) - position)))
        budget -= shares[index]
    return shares

"""One step of the model for all sequences: plan a batch, compute it, choose the next tokens."""

import time
from collections.abc import Sequence as Items
from dataclasses import dataclass

from jan_host import Delta, EngineError, JanHostError, TokenLogprob
from jan_host.kit.generation import Event, Job, Sequence

from jan_host_llamacpp.batch import Batch
from jan_host_llamacpp.kv import KvCache
from jan_host_llamacpp.native import NativeContext
from jan_host_llamacpp.sampling import Sampler
from jan_host_llamacpp.slots import Slot, Slots
from jan_host_llamacpp.vocab import Vocab

_NO_CELLS = 1
_ABORTED = 2
_STALL_SECONDS = 0.2
"""How long prompts may hold up the streams of others at each step, when no more wait than stream."""
_ALONE_SECONDS = 1.0
"""How long a step may take while nobody streams: after it, new requests join."""
_EVEN_PART = 4
"""A quarter of the tokens for prompts is divided evenly among them."""
_FEWEST = 32
"""Prompt tokens of a step at least: with fewer, the weights are read too often."""
_MOST_FORCED = 64
"""Tokens that had to follow a chosen one; more are read as a prompt is."""
_MOST_TOLD = 64
"""Tokens of a step at most where the scores behind each are wanted: each takes a row of the vocabulary."""


@dataclass(slots=True)
class Part:
    """What one sequence computes in a step."""

    slot: Slot
    sequence: Sequence[Sampler]
    size: int
    index: int = -1
    """Where its last token stands in the batch."""

    @property
    def completes(self) -> bool:
        """Whether every token of the sequence is computed then, so that the next can be chosen."""
        return self.size == self.sequence.pending

    @property
    def outputs(self) -> int:
        """Behind how many of its last tokens the scores are wanted."""
        return self.size if self.sequence.tells_prompt and not self.sequence.generated else self.completes


class Stepper:
    """Works on the sequences that hold slots; used by the compute thread alone.

    Args:
        context: llama.cpp's context.
        kv: Its KV cache.
        slots: Who holds which sequence number.
        vocab: The model's vocabulary.
    """

    def __init__(self, context: NativeContext, kv: KvCache, slots: Slots, vocab: Vocab) -> None:
        self._context = context
        self._kv = kv
        self._slots = slots
        self._vocab = vocab
        self._batch = Batch(context.batch_size)
        self._seconds_per_token = 0.0
        self.working_for: tuple[Job[Sampler], ...] = ()
        """The jobs of the batch that is being computed."""

    @property
    def sequences(self) -> list[Sequence[Sampler]]:
        """Those that hold slots."""
        return [slot.sequence for slot in self._slots.busy if slot.sequence is not None]

    def admit(self, sequence: Sequence[Sampler]) -> bool:
        """Give the sequence a slot; false when none is free."""
        if not self._slots.free:
            return False
        slot = self._slots.take(sequence)
        if sequence.tells_prompt:
            self._slots.forget(slot)
            slot.follows = None
        return True

    def drop(self, sequence: Sequence[Sampler], *, failed: bool) -> None:
        """Take the sequence's slot back; after a failure its cells too."""
        slot = next(slot for slot in self._slots.busy if slot.sequence is sequence)
        self._slots.release(slot)
        if failed:
            self._slots.forget(slot)

    def interrupt(self) -> None:
        """Make the batch that is being computed end early."""
        self._context.abort(True)

    def step(self) -> list[Event]:
        """One step; what it made known, in order."""
        self._slots.close_gap()
        parts = self._plan()
        if not parts:
            return []
        self.working_for = tuple({part.sequence.job for part in parts})
        started = time.perf_counter()
        generating = all(_goes_on(part.sequence) for part in parts)
        events = self._compute(parts)
        if not generating:
            self._learn(time.perf_counter() - started, sum(part.size for part in parts))
        self.working_for = ()
        return events

    def _plan(self) -> list[Part]:
        """What every generating sequence goes on with, then prompts under a budget; in order of slots."""
        parts, reading = [], []
        most_each = max(1, self._batch.capacity // max(1, len(self._slots.busy)))
        for slot in self._slots.busy:
            sequence = slot.sequence
            if sequence is None:
                continue
            if _goes_on(sequence):
                parts.append(Part(slot, sequence, min(sequence.pending, most_each)))
            elif self._slots.may_compute(slot):
                most = _MOST_TOLD if sequence.tells_prompt else sequence.pending
                reading.append(Part(slot, sequence, min(sequence.pending, most)))
        room = self._batch.capacity - sum(part.size for part in parts)
        budget = min(room, self._prompt_budget(len(parts), len(reading)))
        for part, size in zip(reading, prompt_shares(budget, [p.size for p in reading]), strict=True):
            part.size = size
        parts += [part for part in reading if part.size]
        # llama.cpp computes neighbours together only when they stand in order.
        return sorted(parts, key=lambda part: part.slot.number)

    def _prompt_budget(self, generating: int, reading: int) -> int:
        """Prompt tokens for this step: the more wait for each one that streams, the longer a step may be."""
        if not self._seconds_per_token:
            return _FEWEST if generating else self._batch.capacity
        seconds = _ALONE_SECONDS
        if generating:
            seconds = min(_ALONE_SECONDS, _STALL_SECONDS * max(1.0, reading / generating))
        return max(_FEWEST, int(seconds / self._seconds_per_token))

    def _learn(self, seconds: float, tokens: int) -> None:
        latest = seconds / tokens
        known = self._seconds_per_token or latest
        self._seconds_per_token = 0.7 * known + 0.3 * latest

    def _compute(self, parts: list[Part]) -> list[Event]:
        self._batch.clear()
        for part in parts:
            sequence = part.sequence
            part.index = self._batch.add(
                part.slot.number, sequence.chunk(part.size), sequence.past, part.outputs
            )
        status = self._context.decode(self._batch)
        if status == 0:
            return self._choose(parts)
        self._restore(parts)
        if status == _ABORTED:
            self._context.abort(False)
            return []
        return self._retry(parts, status)

    def _restore(self, parts: Items[Part]) -> None:
        """After a failure a part of the batch may have been computed: forget it."""
        for part in parts:
            part.sequence.past = self._kv.trim(part.slot.number, part.sequence.past)

    def _retry(self, parts: list[Part], status: int) -> list[Event]:
        """Smaller batches, so that nobody fails by what a neighbour did."""
        if status == _NO_CELLS and self._slots.forget_parked():
            return self._compute(parts)
        if len(parts) > 1:
            middle = len(parts) // 2
            return self._compute(parts[:middle]) + self._compute(parts[middle:])
        part = parts[0]
        if status == _NO_CELLS and part.size > 1:
            part.size //= 2
            return self._compute(parts)
        problem = "the KV cache is full" if status == _NO_CELLS else f"llama.cpp answered {status}"
        error = EngineError(f"The model could not compute this request: {problem}. Send it again.")
        self._slots.forget(part.slot)
        return [(part.sequence.job, error)]

    def _choose(self, parts: list[Part]) -> list[Event]:
        events: list[Event] = []
        for part in parts:
            sequence = part.sequence
            if sequence.tells_prompt and not sequence.generated:
                self._tell(part)
            sequence.advance(part.size)
            if sequence.pending:
                continue
            try:
                delta = self._next(part)
            except JanHostError as error:
                events.append((sequence.job, error))
                self._slots.release(part.slot)
                continue
            if delta is not None:
                events.append((sequence.job, delta))
                if delta.finish_reason is not None:
                    self._slots.release(part.slot)
        return events

    def _next(self, part: Part) -> Delta | None:
        """What the next token makes known."""
        sequence = part.sequence
        if sequence.generated == 0:
            sequence.begin()
        if not sequence.limit:
            return sequence.end("length")
        chosen = sequence.sampler.sample(self._context, part.index, sequence.generated)
        return sequence.take(chosen.token, self._vocab, chosen.logprob)

    def _tell(self, part: Part) -> None:
        """Note the log probabilities of the prompt's tokens behind those of this step."""
        reporter = part.sequence.sampler.reporter
        if reporter is None:
            return
        first = part.index + 1 - part.size

        def tells(row: int, token: int) -> TokenLogprob:
            if row < 0:
                return reporter.first(token)
            return reporter.prepare(self._context.logits(first + row))(token)

        part.sequence.tell(tells, part.size)


def _goes_on(sequence: Sequence[Sampler]) -> bool:
    """Whether it generates: the last chosen token is to be computed, and those that had to follow it."""
    return sequence.generated > 0 and sequence.pending <= _MOST_FORCED


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

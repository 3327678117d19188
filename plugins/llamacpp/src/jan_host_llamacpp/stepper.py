"""One step of the model for all sequences: plan a batch, compute it, choose the next tokens."""

import time
from collections.abc import Callable
from collections.abc import Sequence as Items
from itertools import zip_longest

import numpy as np
from jan_host import Delta, EngineError, JanHostError, TokenLogprob
from jan_host.kit.generation import Event, Job, Sequence, is_last

from jan_host_llamacpp.adapters.turns import Turns
from jan_host_llamacpp.batch import Batch
from jan_host_llamacpp.guessing import Guessing
from jan_host_llamacpp.kv import KvCache
from jan_host_llamacpp.native import NativeContext
from jan_host_llamacpp.planning import Pace, Part, plan
from jan_host_llamacpp.sampling import Sampler
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.vision.batch import show
from jan_host_llamacpp.vision.prompt import at_least, cut_point, image_at, next_position
from jan_host_llamacpp.vocab import Vocab

_NO_CELLS = 1
_ABORTED = 2


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
        self._pace = Pace()
        self._guessing = Guessing(kv, context.batch_size)
        self._turns: Turns[Part] = Turns(lambda part: part.scales)
        self.working_for: tuple[Job[Sampler], ...] = ()
        """The jobs that most of the batch that is being computed is for."""

    @property
    def sequences(self) -> list[Sequence[Sampler]]:
        """Those that hold slots."""
        return [slot.sequence for slot in self._slots.busy if slot.sequence is not None]

    def admit(self, sequence: Sequence[Sampler]) -> bool:
        """Give the sequence a slot; false when none is free, or cells may become too few."""
        if not self._slots.admits(sequence):
            return False
        self._slots.take(sequence)
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
        parts = plan(self._slots, self._batch.capacity, self._pace, self._turns)
        if not parts:
            return []
        self._guessing.add(parts)
        self._context.adapt(parts[0].scales)
        self.working_for = tuple({part.sequence.job for part in self._heaviest(parts)})
        started = time.perf_counter()
        reads_prompts = not all(part.generates for part in parts)
        events = self._compute(parts)
        seconds = time.perf_counter() - started
        if reads_prompts:
            self._pace.learn(seconds, sum(part.size for part in parts))
        else:
            self._guessing.learn(parts, seconds)
        self.working_for = ()
        return events

    def _heaviest(self, parts: Items[Part]) -> Items[Part]:
        """The prompts, where they are most of the step: given up, they are not worth the others' wait.

        Not where a step that was ended can't be taken back, since its sequences would have to start anew.
        """
        prompts = [part for part in parts if not part.generates]
        heavy = 2 * sum(part.size for part in prompts) > sum(part.size for part in parts)
        return prompts if heavy and self._kv.cuts_anywhere else parts

    def _compute(self, parts: list[Part]) -> list[Event]:
        """The parts at once, but for images: what stands in the place of tokens is a batch by itself."""
        images = [part for part in parts if image_at(part.sequence)]
        if not images:
            return self._run(parts, self._fill)
        texts = [part for part in parts if part not in images]
        events = self._run(texts, self._fill) if texts else []
        for part in images:
            events += self._run([part], self._show)
        return events

    def _run(self, parts: list[Part], decode: Callable[[list[Part]], int]) -> list[Event]:
        status = decode(parts)
        while status == _NO_CELLS and self._slots.make_room():
            status = decode(parts)
        if status == 0:
            return self._choose(parts)
        self._restore(parts)
        if status == _ABORTED:
            self._context.abort(False)
            return []
        return self._retry(parts, status)

    def _fill(self, parts: list[Part]) -> int:
        self._batch.clear()
        for part in parts:
            tokens, position = part.sequence.chunk(part.size), next_position(part.sequence)
            tokens = np.concatenate((tokens, part.draft))
            last = self._batch.add(part.slot.number, tokens, position, part.outputs)
            part.index = last - len(part.draft)
        return self._context.decode(self._batch)

    def _show(self, parts: list[Part]) -> int:
        (part,) = parts
        part.index = part.size - 1
        return show(self._context, part.slot.number, part.sequence, part.size, part.outputs)

    def _restore(self, parts: Items[Part]) -> None:
        """After a failure a part of the batch may have been computed: forget it."""
        for part in parts:
            past, position = cut_point(part.sequence)
            kept = self._kv.trim(part.slot.number, position)
            part.sequence.past = past if kept == position else 0

    def _retry(self, parts: list[Part], status: int) -> list[Event]:
        """Smaller batches, so that nobody fails by what a neighbour did."""
        if len(parts) > 1:
            middle = len(parts) // 2
            return self._compute(parts[:middle]) + self._compute(parts[middle:])
        part = parts[0]
        if status == _NO_CELLS and len(part.draft):
            part.draft = part.draft[:0]
            return self._compute(parts)
        if status == _NO_CELLS and part.size > at_least(part.sequence, 1):
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
            if not sequence.pending:
                found = self._choose_along(part)
                events += found
                if found and is_last(found[-1][1]):
                    self._slots.release(part.slot)
        return events

    def _choose_along(self, part: Part) -> list[Event]:
        """Choose the next token, and behind each of a draft's, as long as it is what was guessed."""
        sequence = part.sequence
        events: list[Event] = []
        for place, guess in zip_longest(range(1 + len(part.draft)), part.draft.tolist()):
            item = self._next(sequence, part.index + place)
            if item is not None:
                events.append((sequence.job, item))
                if is_last(item):
                    break
            if sequence.pending != 1 or sequence.tokens[-1] != guess:
                break
            sequence.advance(1)
        if len(part.draft):
            self._kv.trim(part.slot.number, sequence.past)
        return events

    def _next(self, sequence: Sequence[Sampler], index: int) -> Delta | JanHostError | None:
        """What the next token makes known, by the scores of the batch's token `index`."""
        if sequence.generated == 0:
            sequence.begin()
        if not sequence.limit:
            return sequence.end("length")
        try:
            chosen = sequence.sampler.sample(self._context, index, sequence.generated)
            return sequence.take(chosen.token, self._vocab, chosen.logprob)
        except JanHostError as error:
            return error

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

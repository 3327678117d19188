"""Guesses for a sequence that is computed by itself."""

from jan_host.kit.generation import Drafter, RunCosts, Sequence

from jan_host_llamacpp.kv import KvCache
from jan_host_llamacpp.planning import Part
from jan_host_llamacpp.sampling import Sampler
from jan_host_llamacpp.vision.prompt import seeing


class Guessing:
    """Adds guessed tokens to a step, where they pay.

    Not beside others: what many sequences compute together reads the weights once already. And only where a
    wrong guess can be taken back.

    Args:
        kv: The KV cache.
        capacity: Tokens of a batch.
    """

    def __init__(self, kv: KvCache, capacity: int) -> None:
        self._cuts = kv.cuts_anywhere
        self._capacity = capacity
        self._costs = RunCosts()
        self._sequence: Sequence[Sampler] | None = None
        self._drafter = Drafter(self._costs)

    def add(self, parts: list[Part]) -> None:
        """Give the part that is alone a draft, if it goes on with a token that was chosen."""
        if len(parts) != 1 or not self._cuts:
            return
        (part,) = parts
        sequence = part.sequence
        if not sequence.is_generating or seeing(sequence) is not None:
            return
        if sequence is not self._sequence:
            self._sequence, self._drafter = sequence, Drafter(self._costs)
        most = min(sequence.limit - sequence.generated, self._capacity) - 1
        part.draft = self._drafter.draft(sequence.tokens, most)

    def learn(self, parts: list[Part], seconds: float) -> None:
        """The step of these parts, of which none reads a prompt, took so long."""
        if len(parts) == 1:
            self._costs.learn(parts[0].size + len(parts[0].draft), seconds)

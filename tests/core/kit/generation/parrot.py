"""An engine in short: a model that wants to say one text, whatever it is asked."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from jan_host import CompletionRequest, JanHostError
from jan_host.kit import ChatTemplate, Segment
from jan_host.kit.generation import (
    ChoicePlan,
    Event,
    GeneratingModel,
    Job,
    Prompt,
    Serving,
    check_ids,
    prompt_ids,
)
from jan_host.kit.generation import Sequence as Choice

END = 256
START = 257


class ByteVocabulary:
    """A token for each byte, one that ends a text, and one that begins it."""

    size = 258
    ends = frozenset({END})
    control: Mapping[str, int] = {"<|end|>": END, "<|start|>": START}
    end_ids: npt.NDArray[np.int32] = np.array([END], np.int32)

    def piece(self, token: int) -> bytes:
        return bytes([token]) if token < END else b""

    def spelled(self, token: int) -> bytes:
        return {END: b"<|end|>", START: b"<|start|>"}.get(token) or bytes([token])

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    def detokenize(self, tokens: Sequence[int]) -> str:
        check_ids(tokens, self.size, "tokens")
        return b"".join(map(self.spelled, tokens)).decode()


class Best:
    """Takes the best token, of those that may come."""

    def __init__(self, plan: ChoicePlan) -> None:
        self.plan = plan
        self.constraint = plan.constraint

    def observe(self, tokens: npt.NDArray[np.int32]) -> None:
        """Nothing here looks back."""

    def choose(self, scores: npt.NDArray[np.float32], generated: int) -> int:
        for adjust in self.plan.adjust:
            adjust(scores, generated)
        allowed = None if self.constraint is None else self.constraint.allowed()
        return int(scores.argmax() if allowed is None else allowed[scores[allowed].argmax()])


class ParrotStepper:
    """Wants to say a text, and if it may not, what ends texts and objects."""

    def __init__(self, says: str) -> None:
        self._says = [*says.encode(), END]
        self._vocabulary = ByteVocabulary()
        self.sequences: list[Choice[Best]] = []
        self.working_for: Sequence[Job[Best]] = ()

    def admit(self, sequence: Choice[Best]) -> bool:
        if len(self.sequences) < 2:
            self.sequences.append(sequence)
            return True
        return False

    def drop(self, sequence: Choice[Best], *, failed: bool) -> None:
        self.sequences.remove(sequence)

    def interrupt(self) -> None:
        """A step is short."""

    def step(self) -> list[Event]:
        return [event for sequence in list(self.sequences) for event in self._next(sequence)]

    def _next(self, sequence: Choice[Best]) -> list[Event]:
        sequence.advance(sequence.pending)
        if sequence.generated == 0:
            sequence.begin()
        scores = np.zeros(self._vocabulary.size, np.float32)
        scores[list(b'"}9')] = 1
        scores[self._says[min(sequence.generated, len(self._says) - 1)]] = 2
        try:
            token = sequence.sampler.choose(scores, sequence.generated)
            found = sequence.take(token, self._vocabulary)
        except JanHostError as error:
            self.sequences.remove(sequence)
            return [(sequence.job, error)]
        if found is None:
            return []
        if found.finish_reason is not None:
            self.sequences.remove(sequence)
        return [(sequence.job, found)]


class Parrot(GeneratingModel[Best]):
    """Made on the event loop that will call it."""

    engine: ClassVar = "parrot"

    def __init__(self, says: str, template: str, *, context_length: int = 2048, **serving: object) -> None:
        self.freed = False
        vocabulary = ByteVocabulary()
        super().__init__(
            vocabulary,
            ChatTemplate(template, control_tokens=vocabulary.control),
            ParrotStepper(says),
            parallel=2,
            context_length=context_length,
            serving=Serving(**{"max_queue": 8, **serving}),  # type: ignore[arg-type]  # the tests' own options
        )

    def conversation_prompt(self, segments: Sequence[Segment]) -> Prompt:
        vocabulary = ByteVocabulary()
        return Prompt(
            [
                token
                for segment in segments
                for token in (
                    [vocabulary.control[segment.text]] if segment.control else segment.text.encode()
                )
            ]
        )

    def completion_prompt(self, request: CompletionRequest) -> Prompt:
        if isinstance(request.prompt, str):
            return Prompt([START, *request.prompt.encode()], 1)
        return Prompt(prompt_ids(request.prompt, ByteVocabulary.size))

    def sampler(self, plan: ChoicePlan) -> Best:
        return Best(plan)

    async def free(self) -> None:
        self.freed = True

"""A decoder in memory: chats, completes and tokenizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jan_host import CompletionRequest
from jan_host.kit import ChatTemplate, Segment
from jan_host.kit.generation import (
    ChoicePlan,
    GeneratingModel,
    Prompt,
    Serving,
    Stepper,
    prompt_ids,
    refuse,
)

from jan_host_onnx.generation.sampling import Sampler
from jan_host_onnx.generation.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A model in memory that no thread works on yet."""

    stepper: Stepper
    vocabulary: Vocabulary
    template: ChatTemplate
    context_length: int
    """Tokens that one request may use."""
    parallel: int
    """Sequences at the same time."""


class DecoderModel(GeneratingModel[Sampler]):
    """Made on the event loop that will call it.

    Args:
        opened: What was brought into memory; belongs to this object from now on.
        serving: How it serves.
    """

    engine: ClassVar = "ONNX Runtime"
    forces: ClassVar = True

    def __init__(self, opened: Opened, serving: Serving) -> None:
        self._tokens = opened.vocabulary
        super().__init__(
            opened.vocabulary,
            opened.template,
            opened.stepper,
            parallel=opened.parallel,
            context_length=opened.context_length,
            serving=serving,
        )

    def conversation_prompt(self, segments: Sequence[Segment]) -> Prompt:
        """See `GeneratingModel`; with what begins every text, unless the template wrote it."""
        ids = self._tokens.tokenizer.encode_segments(segments)
        before, _ = self._tokens.tokenizer.frame
        begun = ids if ids[: len(before)] == before else [*before, *ids]
        return Prompt(begun or self._tokens.start())

    def completion_prompt(self, request: CompletionRequest) -> Prompt:
        """See `GeneratingModel`."""
        if request.suffix:
            refuse(self.engine, "suffix", "can't fill in the middle of a text", "leave suffix out")
        if request.echo and request.logprobs is not None:
            refuse(self.engine, "logprobs", "tells nothing of the prompt", "leave echo or logprobs out")
        if isinstance(request.prompt, str):
            before, _ = self._tokens.tokenizer.frame
            ids = self._tokens.tokenize(request.prompt)
        else:
            before, ids = [], prompt_ids(request.prompt, self._tokens.size)
        whole = [*before, *ids]
        return Prompt(whole, len(before)) if whole else Prompt(self._tokens.start(), 1)

    def sampler(self, plan: ChoicePlan) -> Sampler:
        """See `GeneratingModel`."""
        return Sampler(plan, self._tokens)

    async def free(self) -> None:
        """Nothing more: session and cache went with the stepper."""

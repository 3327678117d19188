"""A GGUF model in memory: chats, completes and tokenizes."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from jan_host import CompletionRequest
from jan_host.kit import Segment
from jan_host.kit.generation import ChoicePlan, GeneratingModel, Prompt, Serving

from jan_host_llamacpp.loading import Opened
from jan_host_llamacpp.prompts import completion_prompt, segment_ids, with_start
from jan_host_llamacpp.sampling import Sampler, build_sampler
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.stepper import Stepper


class LlamaCppModel(GeneratingModel[Sampler]):
    """Made on the event loop that will call it.

    Args:
        opened: What `loading.open_model` brought into memory; belongs to this object from now on.
        serving: How it serves.
    """

    engine: ClassVar = "llama.cpp"
    forces: ClassVar = True

    def __init__(self, opened: Opened, serving: Serving) -> None:
        self._opened = opened
        self._vocab = opened.vocab
        super().__init__(
            opened.vocab,
            opened.template,
            Stepper(opened.context, opened.kv, Slots(opened.kv), opened.vocab),
            parallel=opened.kv.sequences,
            context_length=opened.context_length,
            serving=serving,
        )

    def conversation_prompt(self, segments: Sequence[Segment]) -> Prompt:
        """See `GeneratingModel`."""
        return Prompt(with_start(segment_ids(segments, self._vocab), self._vocab))

    def completion_prompt(self, request: CompletionRequest) -> Prompt:
        """See `GeneratingModel`; around a gap where the request has a suffix."""
        return completion_prompt(request, self._vocab)

    def sampler(self, plan: ChoicePlan) -> Sampler:
        """See `GeneratingModel`."""
        return build_sampler(plan, self._vocab)

    def use_cores(self, count: int | None) -> None:
        """See `jan_host.SharesCores`."""
        self._opened.model.cores = count

    async def free(self) -> None:
        """Free context and weights."""
        await asyncio.to_thread(self._opened.close)

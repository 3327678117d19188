"""A GGUF model in memory: chats, completes and tokenizes."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from jan_host import ChatRequest, CompletionRequest, GenerationOptions
from jan_host.kit import Segment
from jan_host.kit.generation import ChoicePlan, GeneratingModel, Prompt, Serving
from jan_host.kit.tools import Asked

from jan_host_llamacpp.adapters.asked import asked_scales
from jan_host_llamacpp.adapters.prompt import adapted
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
            Stepper(opened.context, opened.kv, Slots(opened.kv, opened.prefix_room), opened.vocab),
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

    async def read_chat(self, request: ChatRequest, asked: Asked) -> Prompt:
        """See `GeneratingModel`; with the adapters that the request wants."""
        return self.adapted(request, await super().read_chat(request, asked))

    async def read_completion(self, request: CompletionRequest) -> Prompt:
        """See `read_chat`."""
        return self.adapted(request, await super().read_completion(request))

    def adapted(self, request: GenerationOptions, prompt: Prompt) -> Prompt:
        """The prompt with the adapters that the request wants.

        Raises:
            InvalidRequestError: The model has no such adapter.
        """
        return adapted(prompt, asked_scales(request.extra, self._opened.adapters))

    def sampler(self, plan: ChoicePlan) -> Sampler:
        """See `GeneratingModel`."""
        return build_sampler(plan, self._vocab)

    def use_cores(self, count: int | None) -> None:
        """See `jan_host.SharesCores`."""
        self._opened.model.cores = count

    async def free(self) -> None:
        """Free context and weights."""
        await asyncio.to_thread(self._opened.close)

"""A GGUF model in memory: chats, completes and tokenizes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from jan_host import (
    ChatRequest,
    CompletionRequest,
    Delta,
    GenerationOptions,
    LoadedModel,
)
from jan_host.kit.generation import Job, Scheduler, answer, nothing, token_limit

from jan_host_llamacpp.loading import Opened
from jan_host_llamacpp.prompts import chat_prompt, completion_prompt
from jan_host_llamacpp.sampling import Sampler, build_sampler
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.stepper import Stepper


class LlamaCppModel(LoadedModel):
    """Made on the event loop that will call it.

    Args:
        opened: What `loading.open_model` brought into memory; belongs to this object from now on.
        max_queue: Requests that may wait for a free sequence.
        system_prompt: For conversations without a system message.
        default_limit: ``max_tokens`` of the model's own parameters.
    """

    def __init__(
        self, opened: Opened, *, max_queue: int, system_prompt: str | None, default_limit: int | None
    ) -> None:
        self._opened = opened
        self._vocab = opened.vocab
        self._template = opened.template
        self._system_prompt = system_prompt
        self._default_limit = default_limit
        stepper = Stepper(opened.context, opened.kv, Slots(opened.kv), opened.vocab)
        self._scheduler = Scheduler(
            stepper, workers=opened.kv.sequences, max_queue=max_queue, name="llama.cpp"
        )

    async def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation; see `jan_host.Chats`."""
        prompt = await chat_prompt(request, self._template, self._vocab, self._system_prompt)
        limit = self._limit(request.token_limit(), prompt, chat=True)
        stops = [*request.stops(), *self._template.stop_texts]
        async with aclosing(self._generate(request, prompt, limit, stops)) as deltas:
            async for delta in deltas:
                yield delta

    async def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue a text; see `jan_host.Completes`."""
        prompt = completion_prompt(request, self._vocab)
        limit = self._limit(request.token_limit(), prompt, chat=False)
        opening = ""
        if request.echo:
            opening = request.prompt if isinstance(request.prompt, str) else await self.detokenize(prompt)
        async with aclosing(self._generate(request, prompt, limit, request.stops(), opening)) as deltas:
            async for delta in deltas:
                yield delta

    async def tokenize(self, text: str) -> list[int]:
        """The ids of a text, in which control tokens are text."""
        return await asyncio.to_thread(self._vocab.tokenize, text)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens, control tokens written out."""
        return self._vocab.detokenize(tokens)

    async def unload(self) -> None:
        """End the compute thread, then free context and weights."""
        await self._scheduler.close()
        await asyncio.to_thread(self._opened.close)

    def _limit(self, asked: int | None, prompt: Sequence[int], *, chat: bool) -> int:
        context = self._opened.context_length
        return token_limit(asked, self._default_limit, len(prompt), context, chat=chat)

    async def _generate(
        self,
        request: GenerationOptions,
        prompt: list[int],
        limit: int,
        stops: Sequence[str],
        opening: str = "",
    ) -> AsyncGenerator[Delta, None]:
        if limit == 0:
            for delta in nothing(len(prompt), request.n or 1, opening):
                yield delta
            return
        samplers = await self._samplers(request)
        job = Job(prompt, samplers, stops=stops, limit=limit)
        async with aclosing(answer(self._scheduler, job, opening)) as deltas:
            async for delta in deltas:
                yield delta

    async def _samplers(self, request: GenerationOptions) -> list[Sampler]:
        def build() -> list[Sampler]:
            length = self._opened.context_length
            return [build_sampler(request, choice, self._vocab, length) for choice in range(request.n or 1)]

        # DRY looks through the whole vocabulary: too long for the event loop.
        return await asyncio.to_thread(build) if request.dry_multiplier else build()

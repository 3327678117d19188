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
from jan_host.kit.structure import Constraint, Form, Grammars, TokenTable, form_of
from jan_host.kit.tools import Asked, Dialogue

from jan_host_llamacpp.loading import Opened
from jan_host_llamacpp.prompts import Prompt, completion_prompt, segment_ids, with_start
from jan_host_llamacpp.sampling import Sampler, build_sampler
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.stepper import Stepper
from jan_host_llamacpp.vocab import Vocab


class LlamaCppModel(LoadedModel):
    """Made on the event loop that will call it.

    Args:
        opened: What `loading.open_model` brought into memory; belongs to this object from now on.
        max_queue: Requests that may wait for a free sequence.
        system_prompt: For conversations without a system message.
        default_limit: ``max_tokens`` of the model's own parameters.
        reasoning: Whether reasoning is told apart from the answer.
    """

    def __init__(
        self,
        opened: Opened,
        *,
        max_queue: int,
        system_prompt: str | None,
        default_limit: int | None,
        reasoning: bool,
    ) -> None:
        self._opened = opened
        self._vocab = opened.vocab
        self._dialogue = Dialogue(
            opened.template, opened.vocab.control, system_prompt=system_prompt, reasoning=reasoning
        )
        self._default_limit = default_limit
        self._grammars = Grammars(_table(opened.vocab))
        stepper = Stepper(opened.context, opened.kv, Slots(opened.kv), opened.vocab)
        self._scheduler = Scheduler(
            stepper, workers=opened.kv.sequences, max_queue=max_queue, name="llama.cpp"
        )

    async def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation; see `jan_host.Chats`."""
        asked = await self._dialogue.ask(request)
        prompt = with_start(segment_ids(asked.segments, self._vocab), self._vocab)
        limit = self._limit(request.token_limit(), prompt, chat=True)
        top = (request.top_logprobs or 0) if request.logprobs else None
        async with aclosing(self._generate(request, Prompt(prompt), limit, asked, top)) as deltas:
            async for delta in deltas:
                yield delta

    async def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue a text; see `jan_host.Completes`."""
        prompt = completion_prompt(request, self._vocab)
        limit = self._limit(request.token_limit(), prompt.ids, chat=False)
        opening = None
        if request.echo:
            own = prompt.ids[prompt.added :]
            opening = request.prompt if isinstance(request.prompt, str) else await self.detokenize(own)
        plain = Asked(stops=request.stops())
        answering = self._generate(request, prompt, limit, plain, request.logprobs, opening)
        async with aclosing(answering) as deltas:
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
        await self._grammars.close()
        await asyncio.to_thread(self._opened.close)

    def _limit(self, asked: int | None, prompt: Sequence[int], *, chat: bool) -> int:
        context = self._opened.context_length
        return token_limit(asked, self._default_limit, len(prompt), context, chat=chat)

    async def _generate(
        self,
        request: GenerationOptions,
        prompt: Prompt,
        limit: int,
        asked: Asked,
        top_logprobs: int | None,
        opening: str | None = None,
    ) -> AsyncGenerator[Delta, None]:
        tell_from = None if opening is None or top_logprobs is None else prompt.added
        if limit == 0 and tell_from is None:
            for delta in nothing(len(prompt.ids), request.n or 1, opening or ""):
                yield delta
            return
        samplers = await self._samplers(request, top_logprobs, asked.form or form_of(request))
        job = Job(
            prompt.ids,
            samplers,
            stops=asked.stops,
            limit=limit,
            tell_from=tell_from,
            reader=asked.reader,
            shown=asked.shown,
        )
        async with aclosing(answer(self._scheduler, job, opening or "")) as deltas:
            async for delta in deltas:
                yield delta

    async def _samplers(
        self, request: GenerationOptions, top_logprobs: int | None, form: Form | None
    ) -> list[Sampler]:
        constraints = await self._constraints(form, request.n or 1, forces=top_logprobs is None)

        def build() -> list[Sampler]:
            length = self._opened.context_length
            return [
                build_sampler(request, choice, self._vocab, length, top_logprobs, constraint)
                for choice, constraint in enumerate(constraints)
            ]

        # DRY looks through the whole vocabulary: too long for the event loop.
        return await asyncio.to_thread(build) if request.dry_multiplier else build()

    async def _constraints(
        self, form: Form | None, choices: int, *, forces: bool
    ) -> Sequence[Constraint | None]:
        """What each choice is held to; of forced tokens, which have no scores, nothing could be told."""
        if form is None:
            return [None] * choices
        return await self._grammars.constraints(form, choices, forces=forces)


def _table(vocab: Vocab) -> TokenTable:
    return TokenTable(
        size=vocab.size,
        ends=vocab.ends,
        special=vocab.control,
        spelled=vocab.spelled,
        tokenize=vocab.tokenize,
    )

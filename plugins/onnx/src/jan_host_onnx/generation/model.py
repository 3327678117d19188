"""A decoder in memory: chats, completes and tokenizes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

from jan_host import ChatRequest, CompletionRequest, Delta, GenerationOptions, LoadedModel
from jan_host.kit import ChatTemplate, Segment
from jan_host.kit.generation import (
    Job,
    Scheduler,
    Stepper,
    answer,
    nothing,
    prompt_ids,
    refuse,
    refuse_best_of,
    token_limit,
)
from jan_host.kit.structure import Constraint, Form, Grammars, TokenTable, form_of
from jan_host.kit.tools import Asked, Dialogue

from jan_host_onnx.generation.sampling import Sampler, build_sampler
from jan_host_onnx.generation.vocabulary import Vocabulary

T = TypeVar("T")

_ENGINE: Final = "ONNX Runtime"
_INLINE_SIZE: Final = 4096
"""Characters or token ids that are read on the event loop, sooner than another thread could begin."""


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


class DecoderModel(LoadedModel):
    """Made on the event loop that will call it.

    Args:
        opened: What was brought into memory; belongs to this object from now on.
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
        self._vocabulary = opened.vocabulary
        self._dialogue = Dialogue(
            opened.template,
            opened.vocabulary.tokenizer.control,
            system_prompt=system_prompt,
            reasoning=reasoning,
        )
        self._default_limit = default_limit
        self._grammars = Grammars(_table(opened.vocabulary))
        self._scheduler = Scheduler(
            opened.stepper, workers=opened.parallel, max_queue=max_queue, name="onnxruntime"
        )

    async def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation; see `jan_host.Chats`."""
        asked = await self._dialogue.ask(request)
        size = sum(len(part.text) for part in asked.segments)
        prompt = await _threaded(self._chat_prompt, asked.segments, size)
        limit = self._limit(request.token_limit(), prompt, chat=True)
        top = (request.top_logprobs or 0) if request.logprobs else None
        async with aclosing(self._generate(request, prompt, limit, asked, top)) as deltas:
            async for delta in deltas:
                yield delta

    async def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue a text; see `jan_host.Completes`."""
        refuse_best_of(request, _ENGINE)
        _refuse_completion(request)
        prompt = await _threaded(self._completion_prompt, request, len(request.prompt))
        limit = self._limit(request.token_limit(), prompt, chat=False)
        opening = ""
        if request.echo:
            opening = request.prompt if isinstance(request.prompt, str) else await self.detokenize(prompt)
        plain = Asked(stops=request.stops())
        answering = self._generate(request, prompt, limit, plain, request.logprobs, opening)
        async with aclosing(answering) as deltas:
            async for delta in deltas:
                yield delta

    async def tokenize(self, text: str) -> list[int]:
        """The ids of a text, in which control tokens are text."""
        return await asyncio.to_thread(self._vocabulary.tokenizer.tokenize, text)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens, control tokens written out."""
        return await asyncio.to_thread(self._vocabulary.tokenizer.detokenize, tokens)

    async def unload(self) -> None:
        """End the compute thread, then free cache and weights."""
        await self._scheduler.close()
        await self._grammars.close()
        del self._opened, self._scheduler, self._vocabulary  # the session goes with its last reference

    def _chat_prompt(self, segments: Sequence[Segment]) -> list[int]:
        return self._with_start(self._vocabulary.tokenizer.encode_segments(segments))

    def _completion_prompt(self, request: CompletionRequest) -> list[int]:
        vocabulary = self._vocabulary
        if isinstance(request.prompt, str):
            before, _ = vocabulary.tokenizer.frame
            ids = vocabulary.tokenizer.tokenize(request.prompt)
            return [*before, *ids] or vocabulary.start()
        ids = prompt_ids(request.prompt)
        vocabulary.check(ids, "prompt")
        return ids or vocabulary.start()

    def _with_start(self, ids: list[int]) -> list[int]:
        """The ids with what begins every text, if the model wants that and the template wrote none."""
        before, _ = self._vocabulary.tokenizer.frame
        return ids if ids[: len(before)] == before and ids else [*before, *ids] or self._vocabulary.start()

    def _limit(self, asked: int | None, prompt: Sequence[int], *, chat: bool) -> int:
        context = self._opened.context_length
        return token_limit(asked, self._default_limit, len(prompt), context, chat=chat)

    async def _generate(
        self,
        request: GenerationOptions,
        prompt: list[int],
        limit: int,
        asked: Asked,
        top_logprobs: int | None,
        opening: str = "",
    ) -> AsyncGenerator[Delta, None]:
        if limit == 0:
            for delta in nothing(len(prompt), request.n or 1, opening):
                yield delta
            return
        samplers = await self._samplers(request, top_logprobs, asked.form or form_of(request))
        job = Job(
            prompt,
            samplers,
            stops=asked.stops,
            limit=limit,
            reader=asked.reader,
            shown=asked.shown,
        )
        async with aclosing(answer(self._scheduler, job, opening)) as deltas:
            async for delta in deltas:
                yield delta

    async def _samplers(
        self, request: GenerationOptions, top_logprobs: int | None, form: Form | None
    ) -> list[Sampler]:
        constraints = await self._constraints(form, request.n or 1)

        def build() -> list[Sampler]:
            length = self._opened.context_length
            return [
                build_sampler(request, choice, self._vocabulary, length, top_logprobs, constraint)
                for choice, constraint in enumerate(constraints)
            ]

        # DRY looks through the whole vocabulary: too long for the event loop.
        return await asyncio.to_thread(build) if request.dry_multiplier else build()

    async def _constraints(self, form: Form | None, choices: int) -> Sequence[Constraint | None]:
        """What each choice is held to."""
        return [None] * choices if form is None else await self._grammars.constraints(form, choices)


def _table(vocabulary: Vocabulary) -> TokenTable:
    return TokenTable(
        size=vocabulary.size,
        ends=vocabulary.ends,
        special=vocabulary.tokenizer.control,
        spelled=vocabulary.spelled,
        tokenize=vocabulary.tokenizer.tokenize,
    )


def _refuse_completion(request: CompletionRequest) -> None:
    """Raise for what can't be done with a prompt.

    Raises:
        UnsupportedError: Names the option and what to do.
    """
    if request.suffix:
        refuse(_ENGINE, "suffix", "can't fill in the middle of a text", "leave suffix out")
    if request.echo and request.logprobs is not None:
        refuse(_ENGINE, "logprobs", "tells nothing of the prompt", "leave echo or logprobs out")


async def _threaded(read: Callable[[T], list[int]], prompt: T, size: int) -> list[int]:
    """Read a prompt, on another thread when that may take long."""
    return read(prompt) if size <= _INLINE_SIZE else await asyncio.to_thread(read, prompt)

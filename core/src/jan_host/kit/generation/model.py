"""The base of models that generate tokens themselves: between requests and an engine's stepper."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from collections.abc import Sequence as Items
from contextlib import aclosing
from functools import cached_property
from typing import ClassVar, Final, Generic, TypeVar

from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import LoadedModel
from jan_host.contract.generation import Delta
from jan_host.contract.options import GenerationOptions
from jan_host.kit.generation.answering import answer, nothing
from jan_host.kit.generation.asking import refuse_best_of, refuse_hopeless, token_limit
from jan_host.kit.generation.choices import ChoicePlan
from jan_host.kit.generation.holding import constraints_of
from jan_host.kit.generation.jobs import Job, Terms
from jan_host.kit.generation.prompts import Prompt, off_loop
from jan_host.kit.generation.scheduler import Scheduler, Stepper
from jan_host.kit.generation.sequences import Observes
from jan_host.kit.generation.serving import Serving
from jan_host.kit.generation.vocabulary import ModelVocabulary
from jan_host.kit.segments import Segment
from jan_host.kit.structure import Grammars, TokenTable
from jan_host.kit.template import ChatTemplate
from jan_host.kit.tools import Asked, Dialogue

S = TypeVar("S", bound=Observes)

_FAR_TOO_LONG: Final = 16
"""Characters for each token of the context: more than any text has but a strange one."""


class GeneratingModel(LoadedModel, Generic[S]):
    """Chats, completes and tokenizes; made on the event loop that will call it.

    An engine derives from it and says four things: how a conversation and a text become a prompt
    (`conversation_prompt`, `completion_prompt`), what chooses tokens (`sampler`), and how the memory is given
    back (`free`). Its `Stepper` does the rest. A request goes this way::

        request -> Dialogue -> Prompt -> token_limit -> ChoicePlan -> sampler -> Job -> Stepper -> deltas

    Whatever else the stepper must know of a request stands in the engine's own kind of `Prompt`.

    Args:
        vocabulary: The model's.
        template: Its chat template.
        stepper: What computes; belongs to this object from now on.
        parallel: Sequences that the stepper works on at the same time.
        context_length: Tokens that one request may use.
        serving: How it serves.
    """

    engine: ClassVar[str]
    """The engine's name, as it stands in errors."""
    forces: ClassVar = False
    """Whether the stepper computes several tokens of a sequence in one step, so that those that can come
    alone, by the form that a text is held to, are given to it at once."""
    sees: ClassVar = False
    """Whether conversations may have images; `read_chat` is overridden then, which gets them in `Asked`."""

    def __init__(
        self,
        vocabulary: ModelVocabulary,
        template: ChatTemplate,
        stepper: Stepper,
        *,
        parallel: int,
        context_length: int,
        serving: Serving,
    ) -> None:
        self.context_length = context_length
        self._vocabulary = vocabulary
        self._default_limit = serving.default_limit
        self._dialogue = Dialogue(
            template,
            vocabulary.control,
            system_prompt=serving.system_prompt,
            variables=serving.template_variables,
            reasoning=serving.reasoning,
            images=self.sees,
        )
        self._grammars = Grammars(
            TokenTable(
                size=vocabulary.size,
                ends=vocabulary.ends,
                special=vocabulary.control,
                spelled=vocabulary.spelled,
                tokenize=vocabulary.tokenize,
            )
        )
        self._scheduler = Scheduler(stepper, workers=parallel, max_queue=serving.max_queue, name=self.engine)

    # What an engine says.

    @abstractmethod
    def conversation_prompt(self, segments: Items[Segment]) -> Prompt:
        """The prompt of a rendered conversation; called on any thread.

        Only segments that are ``control`` become control tokens.
        """

    @abstractmethod
    def completion_prompt(self, request: CompletionRequest) -> Prompt:
        """The prompt of a text or of token ids; called on any thread.

        Raises:
            InvalidRequestError: An id that the vocabulary does not have.
            UnsupportedError: The request asks for what the engine or the model can't do.
        """

    @abstractmethod
    def sampler(self, plan: ChoicePlan) -> S:
        """What chooses the tokens of one choice; called on any thread."""

    @abstractmethod
    async def free(self) -> None:
        """Give the memory back; nothing computes any more."""

    # What an engine may say otherwise.

    async def read_chat(self, request: ChatRequest, asked: Asked) -> Prompt:
        """The prompt of a conversation: to be overridden where more than its text matters.

        Args:
            request: The request.
            asked: What the dialogue made of it.
        """
        size = sum(len(segment.text) for segment in asked.segments)
        await self._refuse_hopeless(size, chat=True)
        return await off_loop(self.conversation_prompt, asked.segments, size)

    async def read_completion(self, request: CompletionRequest) -> Prompt:
        """The prompt of a text; see `read_chat`."""
        if isinstance(request.prompt, str):
            await self._refuse_hopeless(len(request.prompt), chat=False)
        return await off_loop(self.completion_prompt, request, len(request.prompt))

    def token_limit(self, request: ChatRequest | CompletionRequest, prompt: Prompt) -> int:
        """How many tokens may be generated.

        Raises:
            ContextLengthExceededError: Prompt and answer do not fit together.
        """
        return token_limit(
            request.token_limit(),
            self._default_limit,
            len(prompt.ids),
            self.context_length,
            chat=isinstance(request, ChatRequest),
        )

    # What the host calls.

    async def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation; see `jan_host.Chats`."""
        asked = await self._dialogue.ask(request)
        prompt = await self.read_chat(request, asked)
        top = (request.top_logprobs or 0) if request.logprobs else None
        limit = self.token_limit(request, prompt)
        async with aclosing(self._generate(request, prompt, limit, asked, top)) as deltas:
            async for delta in deltas:
                yield delta

    async def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue a text; see `jan_host.Completes`."""
        refuse_best_of(request, self.engine)
        prompt = await self.read_completion(request)
        limit = self.token_limit(request, prompt)
        echo = await self._echo(request, prompt) if request.echo else None
        plain = Asked(stops=request.stops())
        answering = self._generate(request, prompt, limit, plain, request.logprobs, echo)
        async with aclosing(answering) as deltas:
            async for delta in deltas:
                yield delta

    async def tokenize(self, text: str) -> list[int]:
        """The ids of a text, in which control tokens are text."""
        return await off_loop(self._vocabulary.tokenize, text, len(text))

    async def detokenize(self, tokens: Items[int]) -> str:
        """The text of tokens, control tokens written out."""
        return await off_loop(self._vocabulary.detokenize, tokens, len(tokens))

    async def unload(self) -> None:
        """End the compute thread, then free the memory."""
        await self._scheduler.close()
        await self._grammars.close()
        await self.free()

    async def _refuse_hopeless(self, size: int, *, chat: bool) -> None:
        """Refuse a text that is far too long before it takes time and memory to say how much so.

        Raises:
            ContextLengthExceededError: It can't fit.
        """
        if size > _FAR_TOO_LONG * self.context_length:
            longest = await asyncio.to_thread(lambda: self._longest_token)
            refuse_hopeless(size, longest, self.context_length, chat=chat)

    @cached_property
    def _longest_token(self) -> int:
        """Bytes; it takes a while to find out."""
        return max(len(self._vocabulary.spelled(token)) for token in range(self._vocabulary.size))

    async def _echo(self, request: CompletionRequest, prompt: Prompt) -> str:
        if isinstance(request.prompt, str):
            return request.prompt
        return await self.detokenize(prompt.ids[prompt.added :])

    async def _generate(
        self,
        request: GenerationOptions,
        prompt: Prompt,
        limit: int,
        asked: Asked,
        top_logprobs: int | None,
        echo: str | None = None,
    ) -> AsyncGenerator[Delta, None]:
        tells = echo is not None and top_logprobs is not None
        samplers = await self._samplers(request, top_logprobs, asked)  # also says what is wrong with options
        if limit == 0 and not tells:
            for delta in nothing(len(prompt.ids), request.n or 1, echo or ""):
                yield delta
            return
        job = Job(
            prompt,
            samplers,
            stops=asked.stops,
            limit=limit,
            terms=Terms.of(request, tells_prompt=tells),
            reader=asked.reader,
            shown=asked.shown,
        )
        async with aclosing(answer(self._scheduler, job, echo or "")) as deltas:
            async for delta in deltas:
                yield delta

    async def _samplers(self, request: GenerationOptions, top_logprobs: int | None, asked: Asked) -> list[S]:
        # Of forced tokens, which have no scores, nothing could be told.
        forces = self.forces and top_logprobs is None
        constraints = await constraints_of(self._grammars, request, asked, forces=forces)

        def build() -> list[S]:
            return [
                self.sampler(
                    ChoicePlan.of(
                        request,
                        choice,
                        self._vocabulary,
                        self.context_length,
                        top_logprobs=top_logprobs,
                        constraint=constraint,
                    )
                )
                for choice, constraint in enumerate(constraints)
            ]

        # DRY looks through the whole vocabulary: too long for the event loop.
        return await asyncio.to_thread(build) if request.dry_multiplier else build()

"""A loaded n-gram model: how it answers requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from random import Random

from jan_host import (
    ChatRequest,
    CompletionRequest,
    ContextLengthExceededError,
    Delta,
    FinishReason,
    LoadedModel,
    Usage,
)
from jan_host.kit import TextStream

from jan_host_example_engine.counts import Counts, pick
from jan_host_example_engine.requests import Job, read_job
from jan_host_example_engine.vocabulary import END, Vocabulary


class NgramModel(LoadedModel):
    """Chats, completes and tokenizes. The host sees that by the methods; nothing else says so.

    Args:
        vocabulary: Its tokens.
        counts: What follows what.
        ctx_len: Tokens that prompt and answer may have together.
    """

    def __init__(self, vocabulary: Vocabulary, counts: Counts, ctx_len: int) -> None:
        self._vocabulary = vocabulary
        self._counts = counts
        self._ctx_len = ctx_len

    async def unload(self) -> None:
        """Nothing to do: Python frees the counts with the object."""

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Continue the conversation's text."""
        return self._generate(request)

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue a text, or a list of token ids."""
        return self._generate(request)

    async def tokenize(self, text: str) -> list[int]:
        """The ids of words, and of bytes where the model does not know a word."""
        return self._vocabulary.encode(text)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of the tokens."""
        return self._vocabulary.decode(tokens)

    async def _generate(self, request: ChatRequest | CompletionRequest) -> AsyncIterator[Delta]:
        job = read_job(request, self._vocabulary)
        self._check_length(job)
        usage = Usage(prompt_tokens=len(job.prompt))
        for index in range(job.choices):
            async for delta in self._choice(job, index, usage):
                if delta.finish_reason and index == job.choices - 1:
                    usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
                    delta.usage = usage
                yield delta

    async def _choice(self, job: Job, index: int, usage: Usage) -> AsyncIterator[Delta]:
        """The deltas of one choice; its tokens are counted in `usage`."""
        stream = TextStream(job.stops)
        finish: FinishReason = "length"
        for token in self._tokens(job, index):
            await asyncio.sleep(0)  # other requests get their turn
            if token == END:
                finish = "stop"
                break
            usage.completion_tokens += 1
            text = stream.push(self._vocabulary.piece(token))
            if stream.stopped is not None:
                yield Delta(index=index, text=text, finish_reason="stop")
                return
            if text:
                yield Delta(index=index, text=text)
        yield Delta(index=index, text=stream.flush(), finish_reason=finish)

    def _tokens(self, job: Job, index: int) -> Iterator[int]:
        """The tokens of one choice: up to ``max_tokens``, or until `END`, which is the last one then."""
        random = Random(None if job.seed is None else f"{job.seed}/{index}")
        tokens = [END, *job.prompt]
        for count in range(job.max_tokens):
            forbidden = {END} if job.ignore_end or count < job.min_tokens else set()
            token = pick(self._counts.candidates(tokens, frozenset(forbidden)), job.sampling, random)
            yield token
            if token == END:
                return
            tokens.append(token)

    def _check_length(self, job: Job) -> None:
        wanted = len(job.prompt) + job.max_tokens
        if wanted > self._ctx_len:
            raise ContextLengthExceededError(
                f"The prompt has {len(job.prompt)} tokens and the answer may have {job.max_tokens}: together"
                f" {wanted}, and this model takes {self._ctx_len}. Shorten the prompt, lower max_tokens, or"
                " start the model with a larger ctx_len.",
                param="max_tokens",
            )

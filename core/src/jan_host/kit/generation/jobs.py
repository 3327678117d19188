"""One request and its choices, as a scheduler works on them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Container, Mapping
from collections.abc import Sequence as Items
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from jan_host.contract.errors import JanHostError
from jan_host.contract.generation import (
    CompletionTokensDetails,
    Delta,
    FinishReason,
    PromptTokensDetails,
    Timings,
    TokenLogprob,
    Usage,
)
from jan_host.kit.structure import Constraint
from jan_host.kit.tools.reading import PlainReader, Reader
from jan_host.kit.tools.said import Said


class Observes(Protocol):
    """Chooses tokens, and wants to know those that it did not choose."""

    @property
    def constraint(self) -> Constraint | None:
        """What it is held to, beside the scores; it chooses among the tokens that are allowed."""
        ...

    def observe(self, tokens: npt.NDArray[np.int32]) -> None:
        """Look at the prompt, or at tokens that follow for certain, so that penalties know of them."""
        ...


class Vocabulary(Protocol):
    """What a generation needs to know of a vocabulary."""

    @property
    def ends(self) -> Container[int]:
        """The tokens that end a generation."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes that a generated token adds to the text; control tokens add none."""
        ...


S = TypeVar("S", bound=Observes)


class Job(Generic[S]):
    """A request: a prompt and one or more choices to generate from it.

    Built on the event loop, worked on by the compute thread, read from `mailbox` on the loop.

    Args:
        prompt: The token ids of the prompt; at least one.
        samplers: One for each choice.
        stops: Stop strings of answers that are plain text.
        limit: How many tokens each choice may have; none at all only where the prompt is told.
        tell_from: Tell the log probabilities of the prompt's tokens, from this one on; ``None``: don't.
        reader: Makes what reads an answer that is not plain text, for each choice.
        shown: The bytes of control tokens that the reader needs to see.
    """

    def __init__(
        self,
        prompt: Items[int],
        samplers: Items[S],
        *,
        stops: Items[str],
        limit: int,
        tell_from: int | None = None,
        reader: Callable[[], Reader] | None = None,
        shown: Mapping[int, bytes] = MappingProxyType({}),
    ) -> None:
        self.prompt = np.asarray(prompt, np.int32)
        self.mailbox: asyncio.Queue[Delta | JanHostError] = asyncio.Queue()
        self.tell_from = tell_from
        self.prompt_logprobs: list[TokenLogprob] = []
        """Of the tokens from `tell_from` on; complete before anything of the first choice is made known."""
        self.cancelled = False
        self.times = Times()
        self.cached_tokens = 0
        self.computed_tokens = 0
        self.generated_tokens = 0
        self.reasoning_tokens = 0
        self.open_choices = len(samplers)
        self.shown = shown
        self._is_plain = reader is None
        readers = [PlainReader(stops) if reader is None else reader() for _ in samplers]
        self.choices = [
            Sequence(self, index, *parts, limit)
            for index, parts in enumerate(zip(samplers, readers, strict=True))
        ]

    def usage(self) -> Usage:
        """The counts over all choices; the prompt counts once, as it does with OpenAI."""
        size = len(self.prompt)
        details = None if self._is_plain else CompletionTokensDetails(reasoning_tokens=self.reasoning_tokens)
        return Usage(
            prompt_tokens=size,
            completion_tokens=self.generated_tokens,
            total_tokens=size + self.generated_tokens,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=self.cached_tokens),
            completion_tokens_details=details,
        )

    def timings(self) -> Timings:
        """Where the time went, until now."""
        now = time.perf_counter()
        started = self.times.started or now
        first = self.times.first_token or now
        prompt_ms, predicted_ms = (first - started) * 1e3, (now - first) * 1e3
        return Timings(
            queued_ms=(started - self.times.submitted) * 1e3,
            prompt_n=self.computed_tokens,
            prompt_ms=prompt_ms,
            prompt_per_second=_rate(self.computed_tokens, prompt_ms),
            predicted_n=self.generated_tokens,
            predicted_ms=predicted_ms,
            predicted_per_second=_rate(self.generated_tokens, predicted_ms),
            cache_n=self.cached_tokens,
        )


class Times:
    """When a job came, started and showed its first token; seconds of `time.perf_counter`, 0 for not yet."""

    def __init__(self) -> None:
        self.submitted = time.perf_counter()
        self.started = 0.0
        self.first_token = 0.0


class Sequence(Generic[S]):
    """One choice of a job: the tokens of prompt and answer, of which the KV cache holds the first `past`."""

    def __init__(self, job: Job[S], index: int, sampler: S, reader: Reader, limit: int) -> None:
        self.job = job
        self.index = index
        self.sampler = sampler
        self.reader = reader
        self.limit = limit
        self.generated = 0
        self.computed = 0
        """How many tokens of the prompt were computed for this choice; the others were taken over."""
        self.past = 0
        self.length = len(job.prompt)
        self._tokens = np.empty(self.length + limit, np.int32)
        self._tokens[: self.length] = job.prompt
        self._logprobs = HeldLogprobs()

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """All tokens so far."""
        return self._tokens[: self.length]

    @property
    def pending(self) -> int:
        """How many tokens the model has not seen yet."""
        return self.length - self.past

    @property
    def is_generating(self) -> bool:
        """Whether only the last chosen token is to be computed; otherwise it reads its prompt."""
        return self.generated > 0 and self.pending == 1

    @property
    def tells_prompt(self) -> bool:
        """Whether scores behind all tokens of the prompt are wanted: none of it may be taken over."""
        return self.job.tell_from is not None and self.index == 0

    def tell(self, tells: Callable[[int, int], TokenLogprob], size: int) -> None:
        """Note what is told of the prompt's tokens by the scores behind the next `size` ones.

        Args:
            tells: Gives what is told of a token (second argument) by the scores behind the computed token
                with that number (first argument); -1 for the prompt's first token, which has none before it.
            size: How many tokens were just computed; `advance` comes after this.
        """
        start = self.job.tell_from or 0
        told = self.job.prompt_logprobs
        first = max(self.past + 1 if self.past else 0, start)
        del told[first - start :]  # a part may have been computed before, and lost
        for place in range(first, min(self.past + size + 1, len(self.job.prompt))):
            told.append(tells(place - self.past - 1, int(self._tokens[place])))

    def chunk(self, size: int) -> npt.NDArray[np.int32]:
        """The next `size` tokens to be computed."""
        return self._tokens[self.past : self.past + size]

    def advance(self, count: int) -> None:
        """The model has computed `count` more tokens."""
        self.past += count
        if self.generated == 0:
            self.computed += count
            self.job.computed_tokens += count

    def begin(self) -> None:
        """The whole prompt is computed, and the first token is about to be chosen."""
        self.sampler.observe(self.job.prompt)
        if self.index == 0:
            self.job.cached_tokens = max(0, len(self.job.prompt) - self.computed)
        self.job.times.first_token = self.job.times.first_token or time.perf_counter()

    def take(self, token: int, vocab: Vocabulary, logprob: TokenLogprob | None = None) -> Delta | None:
        """Add the token that was chosen, and those that follow it for certain.

        Args:
            token: The token.
            vocab: The model's vocabulary.
            logprob: What is told of it, where the request asks for that.

        Returns:
            The text that became certain, or the end of the choice, or ``None`` while there is
            nothing to tell.

        Raises:
            InvalidRequestError: What the text is held to became too complex.
        """
        constraint = self.sampler.constraint
        forced = constraint.accept(token) if constraint is not None else ()
        if logprob is not None and token not in vocab.ends:
            self._logprobs.hold(logprob, len(vocab.piece(token)))
        said = Said()
        for each in (token, *forced):
            if self.generated >= self.limit:
                return self.end("length", said)
            self._count()
            if each in vocab.ends:
                return self.end("stop", said)
            said += self._add(each, vocab)
            if self.reader.stopped:
                return self.end("stop", said)
        whole = constraint is not None and constraint.complete
        if whole or self.generated >= self.limit:
            return self.end("stop" if whole else "length", said)
        if forced:
            self.sampler.observe(np.array(forced, np.int32))
        if not said:
            return None
        return self._delta(said, self._logprobs.release(said.text, all_of_them=self.reader.parses))

    def _count(self) -> None:
        self.generated += 1
        self.job.generated_tokens += 1

    def _add(self, token: int, vocab: Vocabulary) -> Said:
        """What became certain by a token."""
        self._tokens[self.length] = token
        self.length += 1
        piece = self.job.shown.get(token) or vocab.piece(token)
        reasoned = self.reader.is_reasoning
        said = self.reader.push(piece)
        self.job.reasoning_tokens += reasoned or self.reader.is_reasoning
        return said

    def end(self, reason: FinishReason, said: Said | None = None) -> Delta:
        """The last delta of this choice; of the whole job too, when the other choices have ended."""
        said = (said or Said()) + self.reader.flush()
        self.job.open_choices -= 1
        all_of_them = not self.reader.stopped or self.reader.parses
        delta = self._delta(said, self._logprobs.release(said.text, all_of_them=all_of_them))
        delta.finish_reason = self.reader.reason(reason)
        if self.job.open_choices == 0:
            delta.usage = self.job.usage()
            delta.timings = self.job.timings()
        return delta

    def _delta(self, said: Said, logprobs: list[TokenLogprob]) -> Delta:
        return Delta(
            index=self.index,
            text=said.text,
            reasoning=said.reasoning,
            tool_calls=said.tool_calls,
            logprobs=logprobs,
        )


class HeldLogprobs:
    """Log probabilities of tokens, held back as long as all of their text is."""

    def __init__(self) -> None:
        self._held: deque[tuple[TokenLogprob, int]] = deque()
        self._shown = 0
        """Bytes that were shown beyond those of the tokens that were told."""

    def hold(self, logprob: TokenLogprob, size: int) -> None:
        """Keep what is told of a token whose text has `size` bytes."""
        self._held.append((logprob, size))

    def release(self, text: str, *, all_of_them: bool = False) -> list[TokenLogprob]:
        """Those of the tokens of which `text` shows something, or all that are left."""
        if not self._held:
            return []
        self._shown += len(text.encode("utf-8", "replace"))
        told = []
        while self._held and (all_of_them or self._shown > 0):
            logprob, size = self._held.popleft()
            self._shown -= size
            told.append(logprob)
        return told


def _rate(count: int, milliseconds: float) -> float:
    return count / milliseconds * 1e3 if milliseconds > 0 else 0.0

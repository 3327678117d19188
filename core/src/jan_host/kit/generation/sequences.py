"""One choice of a request, token by token."""

import time
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from jan_host.contract.generation import Delta, FinishReason, TokenLogprob
from jan_host.kit.generation.logprobs import HeldLogprobs
from jan_host.kit.structure import Constrains
from jan_host.kit.tools.reading import Reader
from jan_host.kit.tools.said import Said

if TYPE_CHECKING:
    from jan_host.kit.generation.jobs import Job


class Observes(Protocol):
    """Chooses tokens, and wants to know those that it did not choose."""

    @property
    def constraint(self) -> Constrains | None:
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


class Sequence(Generic[S]):
    """One choice of a job: the tokens of prompt and answer, of which the KV cache holds the first `past`."""

    def __init__(self, job: "Job[S]", index: int, sampler: S, reader: Reader, limit: int) -> None:
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
    def is_fresh(self) -> bool:
        """Whether it takes nothing over that was computed before; one choice does that for all of a job."""
        return self.job.terms.fresh and self.index == 0

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
        if logprob is not None and not self._ends_at(token, vocab):
            self._logprobs.hold(logprob, len(vocab.piece(token)))
        said = Said()
        for each in (token, *forced):
            if self.generated >= self.limit:
                return self.end("length", said)
            self._count()
            if self._ends_at(each, vocab):
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

    def _ends_at(self, token: int, vocab: Vocabulary) -> bool:
        return token in vocab.ends or token in self.job.terms.ends

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
            usage=self.job.usage() if self.job.terms.counts else None,
        )

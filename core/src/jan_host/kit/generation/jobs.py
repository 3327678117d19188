"""One request and its choices, as a scheduler works on them."""

import asyncio
import time
from collections.abc import Callable, Container, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic

import numpy as np

from jan_host.contract.errors import JanHostError
from jan_host.contract.generation import (
    CompletionTokensDetails,
    Delta,
    PromptTokensDetails,
    Timings,
    TokenLogprob,
    Usage,
)
from jan_host.contract.options import GenerationOptions
from jan_host.kit.generation.prompts import Prompt
from jan_host.kit.generation.sequences import S, Sequence
from jan_host.kit.tools.reading import PlainReader, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a request wants beside answers to its prompt."""

    tells_prompt: bool = False
    """Whether to tell the log probabilities of the tokens of the prompt that the client sent."""
    fresh: bool = False
    """Whether all of the prompt is computed, whatever of it was computed before."""
    counts: bool = False
    """Whether every delta tells the usage so far."""
    ends: Container[int] = ()
    """Tokens at which a choice ends, beside those of the vocabulary."""
    shown_stops: Items[str] = ()
    """Stop strings that an answer of plain text ends with, instead of before them."""

    @classmethod
    def of(cls, request: GenerationOptions, *, tells_prompt: bool) -> "Terms":
        """Those of a request."""
        streamed = request.stream_options if request.stream else None
        return cls(
            tells_prompt=tells_prompt,
            fresh=request.cache_prompt is False,
            counts=bool(streamed and streamed.continuous_usage_stats),
            ends=frozenset(request.stop_token_ids or ()),
            shown_stops=request.shown_stops(),
        )


PLAIN: Final = Terms()


class Job(Generic[S]):
    """A request: a prompt and one or more choices to generate from it.

    Built on the event loop, worked on by the compute thread, read from `mailbox` on the loop.

    Args:
        prompt: The prompt; at least one token.
        samplers: One for each choice.
        stops: Stop strings of answers that are plain text.
        limit: How many tokens each choice may have; none at all only where the prompt is told.
        terms: What else the request wants.
        reader: Makes what reads an answer that is not plain text, for each choice.
        shown: The bytes of control tokens that the reader needs to see.
    """

    def __init__(
        self,
        prompt: Prompt,
        samplers: Items[S],
        *,
        stops: Items[str],
        limit: int,
        terms: Terms = PLAIN,
        reader: Callable[[], Reader] | None = None,
        shown: Mapping[int, bytes] = MappingProxyType({}),
    ) -> None:
        self.given = prompt
        """The prompt as the engine made it, with whatever it wants its stepper to know."""
        self.prompt = np.asarray(prompt.ids, np.int32)
        self.mailbox: asyncio.Queue[Delta | JanHostError] = asyncio.Queue()
        self.terms = terms
        self.tell_from = prompt.added if terms.tells_prompt else None
        """From which token of the prompt on log probabilities are told."""
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
        readers = [PlainReader(stops, terms.shown_stops) if reader is None else reader() for _ in samplers]
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


def _rate(count: int, milliseconds: float) -> float:
    return count / milliseconds * 1e3 if milliseconds > 0 else 0.0

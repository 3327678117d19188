"""How the tokens of one choice are chosen: what every engine's sampler is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jan_host.contract.generation import TokenLogprob
from jan_host.contract.options import GenerationOptions
from jan_host.kit.generation.adjusting import Adjust, adjustments
from jan_host.kit.generation.logprobs import Reporter
from jan_host.kit.generation.options import SamplingOptions
from jan_host.kit.generation.vocabulary import Scored
from jan_host.kit.structure import Constrains


class Chosen(NamedTuple):
    """The next token, and what is told of it where the request asks for that."""

    token: int
    logprob: TokenLogprob | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicePlan:
    """What the sampler of one choice does."""

    options: SamplingOptions
    """Temperature and its kin."""
    adjust: Sequence[Adjust] = ()
    """Applied to the scores of all tokens first, in order."""
    reporter: Reporter | None = None
    """Tells log probabilities; ``None`` where nobody asked."""
    constraint: Constrains | None = None
    """What the text is held to."""

    @classmethod
    def of(
        cls,
        request: GenerationOptions,
        choice: int,
        vocabulary: Scored,
        context_length: int,
        *,
        top_logprobs: int | None = None,
        constraint: Constrains | None = None,
    ) -> "ChoicePlan":
        """The plan for one choice of a request.

        Args:
            request: The request.
            choice: Its number among the ``n`` choices; each gets a seed of its own.
            vocabulary: The model's vocabulary.
            context_length: Tokens that one request may use: penalties look back no further.
            top_logprobs: How many of the most probable tokens to tell at each place; ``None``: tell nothing.
            constraint: What the text is held to.

        Raises:
            InvalidRequestError: An unknown sampler, or a token id that does not exist.
        """
        return cls(
            options=SamplingOptions(request, choice, context_length),
            adjust=adjustments(request, vocabulary.end_ids, vocabulary.size),
            reporter=None if top_logprobs is None else Reporter(vocabulary, top_logprobs),
            constraint=constraint,
        )

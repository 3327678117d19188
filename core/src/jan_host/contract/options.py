"""The options of a generation that chat and completion requests share.

OpenAI's names where OpenAI has one, and the names that local servers share for the rest. ``None``
always means "not asked for": the model's own `parameters` come next, then the engine's default.
Each field's bounds are checked before a number reaches native code.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from jan_host.contract.errors import ValidationError
from jan_host.contract.unknown import KEPT, Open

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Meta(ge=-1, le=2**31 - 1, description="-1: not limited, as if it were left out.")]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
NonNegative = Annotated[float, Meta(ge=0, le=1e6)]
TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Bias = Annotated[float, Meta(ge=-100, le=100)] | bool
Biases = (
    Annotated[dict[str, Bias], Meta(max_length=1024)]
    | Annotated[list[tuple[str | int, Bias]], Meta(max_length=1024)]
)
"""OpenAI's form, and the pairs of local servers."""


class StreamOptions(Open, kw_only=True, omit_defaults=True):
    """OpenAI's ``stream_options``."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    """With `include_usage`: the usage so far on every chunk, as some local servers tell it."""
    include_obfuscation: bool | None = None


class GenerationOptions(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What `ChatRequest` and `CompletionRequest` have in common."""

    model: str | None = None
    """The model's id; left out, the only running model."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_tokens: Limit | None = None
    min_tokens: Count | None = None
    stop: str | list[str] | None = None
    include_stop_str_in_output: bool | None = None
    """Whether a text ends with the stop string that ended it, instead of before it."""
    stop_token_ids: Annotated[list[TokenId], Meta(max_length=1024)] | None = None
    """Tokens at which a text ends, beside the model's own."""
    seed: Seed | None = None
    """Below zero: a new seed for every request."""
    user: str | None = None

    temperature: Annotated[float, Meta(ge=0, le=100)] | None = None
    """0 picks the most probable token every time."""
    top_p: Probability | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    """0 keeps the whole vocabulary; so does -1, which becomes 0."""
    min_p: Probability | None = None
    typical_p: Probability | None = None
    top_n_sigma: Annotated[float, Meta(ge=-1, le=1e6)] | None = None
    xtc_probability: Probability | None = None
    xtc_threshold: Probability | None = None
    dynatemp_range: NonNegative | None = None
    dynatemp_exponent: NonNegative | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repeat_penalty: Annotated[float, Meta(gt=0, le=100)] | None = None
    repeat_last_n: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    """How many tokens the penalties look back; -1: the whole context."""
    dry_multiplier: NonNegative | None = None
    dry_base: NonNegative | None = None
    dry_allowed_length: Count | None = None
    dry_penalty_last_n: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    dry_sequence_breakers: Annotated[list[str], Meta(max_length=64)] | None = None
    mirostat: Literal[0, 1, 2] | None = None
    mirostat_tau: NonNegative | None = None
    mirostat_eta: NonNegative | None = None
    samplers: Annotated[list[str], Meta(max_length=32)] | None = None
    """The samplers to use and their order; left out, the engine's own. Their names are those of the
    options: ``penalties``, ``dry``, ``top_n_sigma``, ``top_k``, ``typ_p``, ``top_p``, ``min_p``, ``xtc``,
    ``temperature``."""
    logit_bias: Biases | None = None
    """A token id, written as a string, to what is added to its logit; -100 forbids the token. Local servers
    also take pairs of both, and ``false`` for -100."""
    ignore_eos: bool | None = None
    grammar: str | None = None
    """A GBNF or Lark grammar that the text must match."""
    regex: str | None = None
    """A regular expression that the text must match."""
    cache_prompt: bool | None = None
    """``false``: all of the prompt is computed, whatever of it was computed before."""

    extra: dict[str, Any] = msgspec.field(name=KEPT, default_factory=dict)
    """What the client sent and no field names: a remote engine passes it on."""

    def __post_init__(self) -> None:
        """Make one of the two ways to say a thing that local servers' clients use."""
        if self.max_tokens == -1:
            self.max_tokens = None
        if self.top_k == -1:
            self.top_k = 0

    def biases(self) -> dict[str, float]:
        """`logit_bias` in OpenAI's form.

        Raises:
            ValidationError: A bias is ``true``, which says nothing.
        """
        given = self.logit_bias or {}
        pairs = given.items() if isinstance(given, dict) else given
        return {str(token): _as_number(bias) for token, bias in pairs}

    def stops(self) -> list[str]:
        """The stop strings as a list, without empty ones."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    def shown_stops(self) -> list[str]:
        """Those of `stops` that a text ends with."""
        return self.stops() if self.include_stop_str_in_output else []


def _as_number(bias: float | bool) -> float:
    if bias is True:
        raise ValidationError("logit_bias: a bias is a number, or false.", param="logit_bias")
    return -100.0 if bias is False else bias

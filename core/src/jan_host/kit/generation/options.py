"""The sampling options of one choice of a request, with the defaults that local servers share."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from jan_host.contract.errors import InvalidRequestError
from jan_host.contract.options import GenerationOptions

DEFAULT_ORDER: Final = (
    "penalties",
    "dry",
    "top_n_sigma",
    "top_k",
    "typ_p",
    "top_p",
    "min_p",
    "xtc",
    "temperature",
)
"""The order that local servers share; `samplers` of a request replaces it."""

_OTHER_NAMES: Final = {"typical_p": "typ_p", "typical": "typ_p", "temp": "temperature"}

_DEFAULTS: Final[dict[str, Any]] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "typical_p": 1.0,
    "top_n_sigma": -1.0,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "dynatemp_range": 0.0,
    "dynatemp_exponent": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repeat_penalty": 1.0,
    "repeat_last_n": 64,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": -1,
    "dry_sequence_breakers": ["\n", ":", '"', "*"],
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
}
"""What local servers do when neither the request nor the model's parameters say."""

COLDEST: Final = 1e-4
"""Below this temperature only the best token has a chance, and scores would overflow."""
MIROSTAT_CANDIDATES: Final = 100
"""``m`` of the Mirostat paper (Basu et al. 2021), as local servers set it."""


class SamplingOptions:
    """The options of one choice, with defaults filled in and lengths bounded; ``options["top_k"]``.

    Args:
        options: The request.
        choice: The number of the choice among ``n``; each gets a seed of its own.
        context_length: Tokens that one request may use: penalties look back no further.

    Raises:
        InvalidRequestError: ``samplers`` names one that does not exist.
    """

    def __init__(self, options: GenerationOptions, choice: int, context_length: int) -> None:
        self._options = options
        self._context_length = context_length
        seed = secrets.randbits(32) if options.seed is None or options.seed < 0 else options.seed + choice
        self.seed = seed % 0xFFFFFFFF  # 0xFFFFFFFF itself means "any" to native samplers
        self.order = _order(options.samplers)
        self.greedy: bool = self["temperature"] < COLDEST
        """Whether the best token is always taken."""
        penalties = "penalties" in self.order and (
            self["repeat_penalty"] != 1.0 or self["presence_penalty"] != 0 or self["frequency_penalty"] != 0
        )
        dry = "dry" in self.order and self["dry_multiplier"] > 0 and self["dry_base"] >= 1
        self.penalty_reach = self._reach("repeat_last_n") if penalties else 0
        """How many tokens the penalties look back; 0 when there are none."""
        self.dry_reach = self._reach("dry_penalty_last_n") if dry else 0
        """How many tokens DRY looks back; 0 when it is off."""
        self.looks_back = max(self.penalty_reach, self.dry_reach)

    def __getitem__(self, name: str) -> Any:
        value = getattr(self._options, name)
        return _DEFAULTS[name] if value is None else value

    def _reach(self, name: str) -> int:
        value = self[name]
        # Samplers reserve memory for it at once.
        return self._context_length if value < 0 else min(value, self._context_length)


def _order(samplers: Sequence[str] | None) -> tuple[str, ...]:
    if samplers is None:
        return DEFAULT_ORDER
    order = tuple(_OTHER_NAMES.get(name, name) for name in samplers)
    for name in order:
        if name not in DEFAULT_ORDER:
            raise InvalidRequestError(
                f"{name!r} is not a sampler. Choose from: {', '.join(DEFAULT_ORDER)}.", param="samplers"
            )
    return tuple(dict.fromkeys(order))

"""llama.cpp's sampler chains, built from a request's options."""

import ctypes
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp.llama_cpp as lib
from jan_host import EngineError, GenerationOptions, InvalidRequestError

from jan_host_llamacpp.vocab import Vocab

DEFAULT_ORDER = (
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
"""llama.cpp's server's order; `samplers` of a request replaces it."""

_OTHER_NAMES = {"typical_p": "typ_p", "typical": "typ_p", "temp": "temperature"}

_DEFAULTS: dict[str, Any] = {
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
"""llama.cpp's server's own defaults, for what neither the request nor the model's parameters say."""

_COLDEST = 1e-4
"""Below this temperature only the best token has a chance, and scores would overflow."""

_MIROSTAT_CANDIDATES = 100
"""``m`` of the Mirostat paper, as llama.cpp's server sets it."""


class Wanted:
    """The options of one choice, with defaults filled in and lengths bounded."""

    def __init__(self, options: GenerationOptions, choice: int, context_length: int) -> None:
        self._options = options
        self._context_length = context_length
        seed = secrets.randbits(32) if options.seed is None or options.seed < 0 else options.seed + choice
        self.seed = seed % 0xFFFFFFFF  # 0xFFFFFFFF itself means "any" to llama.cpp
        self.order = _order(options.samplers)
        penalties = "penalties" in self.order and (
            self["repeat_penalty"] != 1.0 or self["presence_penalty"] != 0 or self["frequency_penalty"] != 0
        )
        dry = "dry" in self.order and self["dry_multiplier"] > 0 and self["dry_base"] >= 1
        self.penalty_reach = self._reach("repeat_last_n") if penalties else 0
        self.dry_reach = self._reach("dry_penalty_last_n") if dry else 0
        self.looks_back = max(self.penalty_reach, self.dry_reach)

    def __getitem__(self, name: str) -> Any:
        value = getattr(self._options, name)
        return _DEFAULTS[name] if value is None else value

    def _reach(self, name: str) -> int:
        value = self[name]
        # llama.cpp reserves memory for it at once.
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


def build_chain(wanted: Wanted, vocab: Vocab) -> Any:
    """The chain, which the caller owns; ``None`` where the best token is all that is wanted.

    Raises:
        EngineError: llama.cpp could not create a sampler.
    """
    greedy = wanted["temperature"] < _COLDEST
    if greedy and not wanted.looks_back:
        return None  # what the other samplers leave, the best token is always among
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for make in _stages(wanted, vocab, greedy):
        stage = make()
        if not stage:
            lib.llama_sampler_free(chain)
            raise EngineError("llama.cpp could not create a sampler for these options. Try others.")
        lib.llama_sampler_chain_add(chain, stage)
    return chain


def _stages(wanted: Wanted, vocab: Vocab, greedy: bool) -> list[Callable[[], Any]]:
    penalties = [_STAGES[name](wanted, vocab) for name in wanted.order if name in ("penalties", "dry")]
    if greedy:
        return [*(stage for stage in penalties if stage), lib.llama_sampler_init_greedy]
    if wanted["mirostat"]:
        # Mirostat cuts the candidates itself, so only the temperature stands before it.
        temperature = _temperature(wanted, vocab)
        return [*(stage for stage in (*penalties, temperature) if stage), _mirostat(wanted, vocab)]
    stages = [_STAGES[name](wanted, vocab) for name in wanted.order]
    return [*(stage for stage in stages if stage), lambda: lib.llama_sampler_init_dist(wanted.seed)]


def _penalties(w: Wanted, vocab: Vocab) -> Callable[[], Any] | None:
    repeat, frequency, presence = w["repeat_penalty"], w["frequency_penalty"], w["presence_penalty"]
    if not w.penalty_reach:
        return None
    return lambda: lib.llama_sampler_init_penalties(vocab.size, w.penalty_reach, repeat, frequency, presence)


def _dry(w: Wanted, vocab: Vocab) -> Callable[[], Any] | None:
    if not w.dry_reach:
        return None
    # A C string ends at a zero byte, and an empty breaker would break everywhere.
    texts = [text.encode("utf-8", "replace").partition(b"\0")[0] for text in w["dry_sequence_breakers"]]
    breakers = [text for text in texts if text]
    pointers = (ctypes.c_char_p * len(breakers))(*breakers)
    length = min(w["dry_allowed_length"], 2**31 - 1)
    return lambda: lib.llama_sampler_init_dry(
        vocab.pointer, w["dry_multiplier"], w["dry_base"], length, w.dry_reach, pointers, len(breakers)
    )


def _temperature(w: Wanted, _: Vocab) -> Callable[[], Any] | None:
    value, span, exponent = w["temperature"], w["dynatemp_range"], w["dynatemp_exponent"]
    if span > 0:
        return lambda: lib.llama_sampler_init_temp_ext(value, span, exponent)
    return None if value == 1 else lambda: lib.llama_sampler_init_temp(value)


def _mirostat(w: Wanted, vocab: Vocab) -> Callable[[], Any]:
    tau, eta = w["mirostat_tau"], w["mirostat_eta"]
    if w["mirostat"] == 1:
        return lambda: lib.llama_sampler_init_mirostat(vocab.size, w.seed, tau, eta, _MIROSTAT_CANDIDATES)
    return lambda: lib.llama_sampler_init_mirostat_v2(w.seed, tau, eta)


def _xtc(w: Wanted, _: Vocab) -> Callable[[], Any] | None:
    probability, threshold = w["xtc_probability"], w["xtc_threshold"]
    return (lambda: lib.llama_sampler_init_xtc(probability, threshold, 0, w.seed)) if probability else None


def _simple(
    name: str, make: Callable[[Any], Any], has_effect: Callable[[Any], bool]
) -> Callable[[Wanted, Vocab], Callable[[], Any] | None]:
    """A stage that depends on one option alone, and is left out where it would change nothing."""

    def stage(w: Wanted, _: Vocab) -> Callable[[], Any] | None:
        value = w[name]
        return (lambda: make(value)) if has_effect(value) else None

    return stage


_STAGES: dict[str, Callable[[Wanted, Vocab], Callable[[], Any] | None]] = {
    "penalties": _penalties,
    "dry": _dry,
    "top_n_sigma": _simple("top_n_sigma", lib.llama_sampler_init_top_n_sigma, lambda n: n > 0),
    "top_k": _simple("top_k", lib.llama_sampler_init_top_k, lambda k: k > 0),
    "typ_p": _simple("typical_p", lambda p: lib.llama_sampler_init_typical(p, 1), lambda p: p < 1),
    "top_p": _simple("top_p", lambda p: lib.llama_sampler_init_top_p(p, 1), lambda p: p < 1),
    "min_p": _simple("min_p", lambda p: lib.llama_sampler_init_min_p(p, 1), lambda p: p > 0),
    "xtc": _xtc,
    "temperature": _temperature,
}

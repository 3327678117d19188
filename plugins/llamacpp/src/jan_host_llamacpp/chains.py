"""llama.cpp's sampler chains, built from a request's options."""

import ctypes
from collections.abc import Callable
from typing import Any

import llama_cpp.llama_cpp as lib
from jan_host import EngineError
from jan_host.kit.generation import MIROSTAT_CANDIDATES, SamplingOptions

from jan_host_llamacpp.vocab import Vocab


def build_chain(wanted: SamplingOptions, vocab: Vocab) -> Any:
    """The chain, which the caller owns; ``None`` where the best token is all that is wanted.

    Raises:
        EngineError: llama.cpp could not create a sampler.
    """
    if wanted.greedy and not wanted.looks_back:
        return None  # what the other samplers leave, the best token is always among
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for make in _stages(wanted, vocab):
        stage = make()
        if not stage:
            lib.llama_sampler_free(chain)
            raise EngineError("llama.cpp could not create a sampler for these options. Try others.")
        lib.llama_sampler_chain_add(chain, stage)
    return chain


def _stages(wanted: SamplingOptions, vocab: Vocab) -> list[Callable[[], Any]]:
    penalties = [_STAGES[name](wanted, vocab) for name in wanted.order if name in ("penalties", "dry")]
    if wanted.greedy:
        return [*(stage for stage in penalties if stage), lib.llama_sampler_init_greedy]
    if wanted["mirostat"]:
        # Mirostat cuts the candidates itself, so only the temperature stands before it.
        temperature = _temperature(wanted, vocab)
        return [*(stage for stage in (*penalties, temperature) if stage), _mirostat(wanted, vocab)]
    stages = [_STAGES[name](wanted, vocab) for name in wanted.order]
    return [*(stage for stage in stages if stage), lambda: lib.llama_sampler_init_dist(wanted.seed)]


def _penalties(w: SamplingOptions, vocab: Vocab) -> Callable[[], Any] | None:
    repeat, frequency, presence = w["repeat_penalty"], w["frequency_penalty"], w["presence_penalty"]
    if not w.penalty_reach:
        return None
    return lambda: lib.llama_sampler_init_penalties(vocab.size, w.penalty_reach, repeat, frequency, presence)


def _dry(w: SamplingOptions, vocab: Vocab) -> Callable[[], Any] | None:
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


def _temperature(w: SamplingOptions, _: Vocab) -> Callable[[], Any] | None:
    value, span, exponent = w["temperature"], w["dynatemp_range"], w["dynatemp_exponent"]
    if span > 0:
        return lambda: lib.llama_sampler_init_temp_ext(value, span, exponent)
    return None if value == 1 else lambda: lib.llama_sampler_init_temp(value)


def _mirostat(w: SamplingOptions, vocab: Vocab) -> Callable[[], Any]:
    tau, eta = w["mirostat_tau"], w["mirostat_eta"]
    if w["mirostat"] == 1:
        return lambda: lib.llama_sampler_init_mirostat(vocab.size, w.seed, tau, eta, MIROSTAT_CANDIDATES)
    return lambda: lib.llama_sampler_init_mirostat_v2(w.seed, tau, eta)


def _xtc(w: SamplingOptions, _: Vocab) -> Callable[[], Any] | None:
    probability, threshold = w["xtc_probability"], w["xtc_threshold"]
    return (lambda: lib.llama_sampler_init_xtc(probability, threshold, 0, w.seed)) if probability else None


def _simple(
    name: str, make: Callable[[Any], Any], has_effect: Callable[[Any], bool]
) -> Callable[[SamplingOptions, Vocab], Callable[[], Any] | None]:
    """A stage that depends on one option alone, and is left out where it would change nothing."""

    def stage(w: SamplingOptions, _: Vocab) -> Callable[[], Any] | None:
        value = w[name]
        return (lambda: make(value)) if has_effect(value) else None

    return stage


_STAGES: dict[str, Callable[[SamplingOptions, Vocab], Callable[[], Any] | None]] = {
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

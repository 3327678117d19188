"""The samplers in NumPy leave the same candidates with the same chances as llama.cpp's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
import pytest
from jan_host import GenerationOptions
from jan_host.kit.generation import ChoicePlan, SamplingOptions
from jan_host_llamacpp.chains import build_chain
from jan_host_onnx.generation.sampling import Sampler
from jan_host_onnx.generation.vocabulary import Vocabulary
from jan_host_onnx.tokenizer import TextTokenizer

from tests.plugins.onnx.decoder.folders import decoder_folder
from tests.plugins.onnx.decoder.native import Native, native

Scores = npt.NDArray[np.float32]

CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "hot": {"temperature": 1.7},
    "cold": {"temperature": 0.1},
    "top_k": {"top_k": 7},
    "top_k of one": {"top_k": 1},
    "whole vocabulary": {"top_k": 0, "top_p": 1.0, "min_p": 0.0},
    "top_p alone": {"top_k": 0, "top_p": 0.6, "min_p": 0.0},
    "top_p of zero": {"top_k": 0, "top_p": 0.0, "min_p": 0.0},
    "min_p alone": {"top_k": 0, "top_p": 1.0, "min_p": 0.2},
    "typical": {"typical_p": 0.4, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
    "top_n_sigma": {"top_n_sigma": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
    "dynatemp": {"temperature": 1.0, "dynatemp_range": 0.7, "dynatemp_exponent": 1.3},
    "dynatemp below zero": {"temperature": 0.3, "dynatemp_range": 0.7},
    "xtc": {"xtc_probability": 1.0, "xtc_threshold": 0.05},
    "repeat": {"repeat_penalty": 1.4},
    "presence and frequency": {"presence_penalty": 1.5, "frequency_penalty": -0.7, "repeat_last_n": -1},
    "short memory": {"repeat_penalty": 2.0, "repeat_last_n": 3},
    "dry": {"dry_multiplier": 0.8},
    "dry without breakers": {"dry_multiplier": 0.8, "dry_base": 1.3, "dry_sequence_breakers": []},
    "dry with long breakers": {"dry_multiplier": 2.0, "dry_sequence_breakers": ["river bank", "mountain"]},
    "dry allows none": {"dry_multiplier": 0.8, "dry_allowed_length": 0, "dry_penalty_last_n": 20},
    "another order": {"samplers": ["temperature", "min_p", "top_k"], "min_p": 0.1, "temperature": 1.5},
    "one sampler": {"samplers": ["top_p"], "top_p": 0.7},
    "mirostat": {"mirostat": 1, "mirostat_tau": 3.0},
    "mirostat 2": {"mirostat": 2, "mirostat_tau": 2.0},
    "mirostat 2 hot": {"mirostat": 2, "temperature": 1.5, "repeat_penalty": 1.2},
}
TEXT = "The river ran by the river bank: the river ran by the river bank, and the river ran"


@pytest.fixture(scope="module")
def llama(smollm2: Path) -> Iterator[Native]:
    """llama.cpp, for its samplers and vocabulary."""
    with native(smollm2) as opened:
        yield opened


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """SmolLM2's, as the ONNX engine has it."""
    return Vocabulary(TextTokenizer(decoder_folder("plain") / "tokenizer.json"), 49152, [2])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_candidates_and_their_chances_are_llama_cpps(
    llama: Native, vocabulary: Vocabulary, name: str, seed: int
) -> None:
    options = GenerationOptions(seed=1, **CASES[name])
    scores, before = _scores(vocabulary, seed), vocabulary.tokenizer.tokenize(TEXT)

    expected = _native_chances(options, llama, scores.copy(), before)
    found = _own_chances(options, vocabulary, scores.copy(), before)

    assert found.keys() == expected.keys()
    assert all(
        found[token] == pytest.approx(chance, rel=2e-3, abs=1e-6) for token, chance in expected.items()
    )


def test_mirostat_learns_as_it_goes(vocabulary: Vocabulary) -> None:
    options = GenerationOptions(seed=4, mirostat=2, mirostat_tau=5.0, temperature=1.0)
    sampler = Sampler(ChoicePlan.of(options, 0, vocabulary, 64), vocabulary)
    generator = np.random.default_rng(3)
    surprises = []
    for step in range(300):
        scores = generator.normal(0, 2.5, vocabulary.size).astype(np.float32)
        left = sampler.candidates(scores.copy())
        chances = dict(zip(left.ids.tolist(), left.probabilities().tolist(), strict=True))
        surprises.append(-np.log2(chances[sampler.choose(scores, step).token]))

    assert np.mean(surprises[100:]) == pytest.approx(5.0, abs=0.5)


def test_draws_follow_the_chances(vocabulary: Vocabulary) -> None:
    scores = np.full(49152, -np.inf, np.float32)
    scores[[10, 20, 30]] = np.log([0.5, 0.3, 0.2])
    options = GenerationOptions(seed=9, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
    sampler = Sampler(ChoicePlan.of(options, 0, vocabulary, 64), vocabulary)
    drawn = [sampler.choose(scores.copy(), 0).token for _ in range(3000)]

    for token, chance in {10: 0.5, 20: 0.3, 30: 0.2}.items():
        assert drawn.count(token) / 3000 == pytest.approx(chance, abs=0.04)


def _scores(vocabulary: Vocabulary, seed: int) -> Scores:
    """Scores as a model gives them: a few good tokens, those of the text among them, and a wide rest."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 2.5, vocabulary.size).astype(np.float32)
    good = [*generator.integers(0, vocabulary.size, 60), *vocabulary.tokenizer.tokenize(TEXT)]
    scores[good] += generator.normal(9, 2, len(good)).astype(np.float32)
    return scores


def _own_chances(
    options: GenerationOptions, vocabulary: Vocabulary, scores: Scores, before: list[int]
) -> dict[int, float]:
    sampler = Sampler(ChoicePlan.of(options, 0, vocabulary, 512), vocabulary)
    sampler.observe(np.array(before, np.int32))
    candidates = sampler.candidates(scores)
    chances = candidates.probabilities()
    return {int(t): float(p) for t, p in zip(candidates.ids, chances, strict=True) if p > 0}


def _native_chances(
    options: GenerationOptions, llama: Native, scores: Scores, before: list[int]
) -> dict[int, float]:
    """What llama.cpp's chain, but for its last draw, leaves."""
    chain = build_chain(SamplingOptions(options, 0, 512), llama.vocab)
    for token in before:
        lib.llama_sampler_accept(chain, token)
    data = (lib.llama_token_data * len(scores))()
    view = np.ctypeslib.as_array(data)
    view["id"], view["logit"], view["p"] = np.arange(len(scores)), scores, 0
    array = lib.llama_token_data_array(data=data, size=len(scores), selected=-1, sorted=False)
    lib.llama_sampler_apply(chain, array)
    data_left: Any = array.data
    left = [(int(data_left[i].id), float(data_left[i].logit)) for i in range(array.size)]
    lib.llama_sampler_free(chain)
    logits = np.array([logit for _, logit in left], np.float64)
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    return {token: float(p) for (token, _), p in zip(left, chances, strict=True) if p > 0}

"""Every sampling option is accepted, and does what its name says."""

from typing import Any

import pytest
from jan_host import InvalidRequestError
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import STORY, chat, collect, completion

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARIS = "The capital of France is Paris."
NEUTRAL: dict[str, Any] = {
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "temperature": 1.0,
    "seed": 7,
    "max_tokens": 10,
}


async def _text(model: LlamaCppModel, prompt: str = STORY, **options: Any) -> str:
    return (await collect(model.chat(chat(prompt, **options)))).text


async def test_a_seed_reproduces_the_answer(model: LlamaCppModel) -> None:
    first = await _text(model, temperature=1.2, seed=42, max_tokens=12)
    again = await _text(model, temperature=1.2, seed=42, max_tokens=12)
    other = await _text(model, temperature=1.2, seed=43, max_tokens=12)

    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", [None, -1])
async def test_without_a_seed_answers_differ(model: LlamaCppModel, seed: int | None) -> None:
    texts = {await _text(model, temperature=1.5, seed=seed, max_tokens=12) for _ in range(3)}

    assert len(texts) > 1


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**63 - 1])
async def test_any_seed_will_do(model: LlamaCppModel, seed: int) -> None:
    assert await _text(model, temperature=1.0, seed=seed, max_tokens=4) == await _text(
        model, temperature=1.0, seed=seed, max_tokens=4
    )


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 1},
        {"top_p": 0.0},
        {"min_p": 1.0},
        {"top_n_sigma": 0.0001},
        {"temperature": 1e-9},
        {"typical_p": 1.0, "top_k": 1},
    ],
    ids="-".join,
)
async def test_an_option_at_its_narrowest_leaves_the_best_token(
    model: LlamaCppModel, options: dict[str, Any]
) -> None:
    greedy = await _text(model, max_tokens=10)

    assert await _text(model, **{**NEUTRAL, "temperature": 2.0, **options}) == greedy


@pytest.mark.parametrize(
    "options",
    [
        {"typical_p": 0.05},
        {"xtc_probability": 1.0, "xtc_threshold": 0.01},
        {"dynatemp_range": 1.0, "dynatemp_exponent": 2.0},
        {"mirostat": 1, "mirostat_tau": 1.0, "mirostat_eta": 0.5},
        {"mirostat": 2, "mirostat_tau": 1.0, "mirostat_eta": 0.5},
        {"presence_penalty": 2.0},
        {"frequency_penalty": 2.0},
        {"repeat_penalty": 3.0, "repeat_last_n": -1},
        {"samplers": ["temperature", "top_k"], "top_k": 2},
        {"temperature": 0.3},
    ],
    ids="-".join,
)
async def test_an_option_changes_the_choice(model: LlamaCppModel, options: dict[str, Any]) -> None:
    assert await _text(model, **{**NEUTRAL, **options}) != await _text(model, **NEUTRAL)


@pytest.mark.parametrize(
    "options",
    [
        {"repeat_penalty": 1.5},
        {"presence_penalty": 2.0},
        {"frequency_penalty": 2.0},
        {"dry_multiplier": 5.0, "dry_sequence_breakers": ["\n", "", "x\0b"]},
    ],
    ids="-".join,
)
async def test_penalties_end_a_repetition(model: LlamaCppModel, options: dict[str, Any]) -> None:
    prompt = "ha ha ha ha ha ha ha ha ha ha ha ha"
    without = await collect(model.complete(completion(prompt, max_tokens=8)))
    penalised = await collect(model.complete(completion(prompt, max_tokens=8, **options)))

    assert without.text == " ha" * 8
    assert penalised.text != without.text


async def test_huge_numbers_are_cut_to_what_is_there(model: LlamaCppModel) -> None:
    options: dict[str, Any] = {
        "repeat_penalty": 1.01,
        "repeat_last_n": 2**31 - 1,
        "dry_multiplier": 0.01,
        "dry_penalty_last_n": 2**31 - 1,
        "dry_allowed_length": 2**31 - 1,
        "top_k": 2**31 - 1,
        "dynatemp_range": 1e6,
        "dynatemp_exponent": 1e6,
        "top_n_sigma": 1e6,
        "mirostat_tau": 1e6,
    }
    for mirostat in (0, 1, 2):
        answer = await collect(model.chat(chat(max_tokens=2, temperature=1.0, mirostat=mirostat, **options)))
        assert answer.usage.completion_tokens == 2


async def test_a_bias_forbids_and_forces_tokens(model: LlamaCppModel) -> None:
    (paris,) = await model.tokenize(" Paris")
    (lyon, *_) = await model.tokenize(" Lyon")
    prompt = "The capital of France is"

    assert (await collect(model.complete(completion(prompt, max_tokens=1)))).text == " Paris"
    for temperature in (0.0, 1.0):
        options: dict[str, Any] = {"max_tokens": 1, "temperature": temperature}
        banned = completion(prompt, logit_bias={str(paris): -100.0}, **options)
        forced = completion(prompt, logit_bias={str(lyon): 100.0}, **options)
        assert (await collect(model.complete(banned))).text != " Paris"
        assert (await collect(model.complete(forced))).text == await model.detokenize([lyon])


@pytest.mark.parametrize("key", ["49152", "-1", "Paris", "٣"])
async def test_a_bias_for_no_token_is_refused(model: LlamaCppModel, key: str) -> None:
    with pytest.raises(InvalidRequestError, match="is not a token id") as caught:
        await _text(model, logit_bias={key: 1.0})
    assert caught.value.param == "logit_bias"


async def test_the_end_can_be_put_off(model: LlamaCppModel) -> None:
    longer = await collect(model.chat(chat(min_tokens=12, max_tokens=32)))
    endless = await collect(model.chat(chat(ignore_eos=True, max_tokens=32)))

    assert longer.text.startswith(PARIS)
    assert longer.usage.completion_tokens >= 12
    assert (endless.usage.completion_tokens, endless.reason) == (32, "length")


async def test_an_unknown_sampler_is_refused(model: LlamaCppModel) -> None:
    with pytest.raises(InvalidRequestError, match="'magic' is not a sampler") as caught:
        await _text(model, samplers=["top_k", "magic"])
    assert caught.value.param == "samplers"

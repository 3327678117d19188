"""Log probabilities: of what is generated, and of an echoed prompt."""

import asyncio
import math
from typing import Any

import numpy as np
import pytest
from jan_host import TokenLogprob
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import CAPITAL, Answer, chat, collect, completion

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROMPT = "The capital of France is"


def _told(answer: Answer, choice: int = 0) -> list[TokenLogprob]:
    return [item for delta in answer.deltas if delta.index == choice for item in delta.logprobs]


def _numbers(items: list[TokenLogprob]) -> list[float]:
    return [math.nan if item.logprob is None else item.logprob for item in items]


async def test_the_tokens_of_an_answer_are_its_text(model: LlamaCppModel) -> None:
    answer = await collect(model.chat(chat(CAPITAL, logprobs=True, top_logprobs=5)))

    told = _told(answer)
    assert "".join(item.token for item in told) == answer.text == "The capital of France is Paris."
    for item in told:
        best = [top.logprob for top in item.top_logprobs]
        assert len(best) == 5
        assert best == sorted(best, reverse=True)
        assert item.logprob == best[0], "greedy takes the best"
        assert sum(math.exp(value) for value in best) <= 1 + 1e-6


@pytest.mark.parametrize("options", [{}, {"logprobs": False}, {"logprobs": False, "top_logprobs": None}])
async def test_nothing_is_told_that_nobody_asked_for(model: LlamaCppModel, options: dict[str, Any]) -> None:
    assert not _told(await collect(model.chat(chat(max_tokens=3, **options))))


async def test_zero_top_logprobs_tell_of_the_chosen_token_alone(model: LlamaCppModel) -> None:
    told = _told(await collect(model.complete(completion(PROMPT, max_tokens=2, logprobs=0))))

    assert [item.token for item in told] == [" Paris", "."]
    assert not any(item.top_logprobs for item in told)


async def test_options_of_sampling_change_no_log_probability(model: LlamaCppModel) -> None:
    (paris,) = await model.tokenize(" Paris")
    plain = completion(PROMPT, max_tokens=1, logprobs=3)
    banned = completion(PROMPT, max_tokens=1, logprobs=3, logit_bias={str(paris): -100.0}, temperature=2.0)
    first, second = [_told(await collect(model.complete(request)))[0] for request in (plain, banned)]

    assert first.top_logprobs == second.top_logprobs
    assert first.token_id == paris
    assert second.token_id != paris


async def test_the_bytes_of_the_tokens_are_the_text(model: LlamaCppModel) -> None:
    text = "🦜🌍🎉"
    request = completion(f"Repeat: {text} {text} {text} {text} {text} {text}", max_tokens=12, logprobs=1)
    answer = await collect(model.complete(request))
    told = _told(answer)

    assert len(told) == 12
    data = b"".join(bytes(item.bytes or ()) for item in told)
    assert data.decode("utf-8", "replace") == answer.text
    assert any("\ufffd" in item.token for item in told), "a character of several tokens"


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_an_echo_tells_of_every_token_of_the_prompt(model: LlamaCppModel, limit: int) -> None:
    answer = await collect(model.complete(completion(PROMPT, max_tokens=limit, logprobs=2, echo=True)))
    told = _told(answer)

    assert answer.text.startswith(PROMPT)
    assert "".join(item.token for item in told) == answer.text
    assert [item.logprob is None for item in told] == [True] + [False] * (len(told) - 1)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(told) - limit, limit)
    assert answer.reason == "length"


async def test_what_is_told_of_a_prompt_is_what_was_told_when_it_was_generated(model: LlamaCppModel) -> None:
    generated = await collect(model.complete(completion("Once upon a time", max_tokens=100, logprobs=1)))
    text = "Once upon a time" + generated.text
    echoed = await collect(model.complete(completion(text, max_tokens=0, logprobs=1, echo=True)))
    said = _numbers(_told(generated))

    np.testing.assert_allclose(_numbers(_told(echoed))[-len(said) :], said, atol=0.05)


async def test_an_echo_is_the_same_alone_and_among_others(model: LlamaCppModel) -> None:
    requests = [completion(f"{PROMPT} {n}", max_tokens=2, logprobs=1, echo=True) for n in range(4)]
    alone = [_numbers(_told(await collect(model.complete(request)))) for request in requests]
    together = await asyncio.gather(*(collect(model.complete(request)) for request in requests))

    for before, after in zip(alone, together, strict=True):
        np.testing.assert_allclose(_numbers(_told(after)), before, atol=0.05)


async def test_every_choice_begins_with_the_echo(model: LlamaCppModel) -> None:
    request = completion(PROMPT, max_tokens=2, logprobs=1, echo=True, n=6, temperature=1.0, seed=1)
    answer = await collect(model.complete(request))
    size = len(await model.tokenize(PROMPT))

    first = _numbers(_told(answer))[:size]
    for choice in range(6):
        assert answer.texts[choice].startswith(PROMPT)
        assert "".join(item.token for item in _told(answer, choice)) == answer.texts[choice]
        np.testing.assert_equal(_numbers(_told(answer, choice))[:size], first)


async def test_an_echo_of_token_ids(model: LlamaCppModel) -> None:
    ids = [1, *await model.tokenize(PROMPT)]  # with <|im_start|> before it
    answer = await collect(model.complete(completion(ids, max_tokens=1, logprobs=0, echo=True)))

    assert [item.token_id for item in _told(answer)][: len(ids)] == ids
    assert answer.text == "<|im_start|>" + PROMPT + _told(answer)[-1].token

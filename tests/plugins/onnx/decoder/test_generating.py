"""What one request gets back from a decoder graph: text, ends, log probabilities, usage."""

import math

import pytest
from jan_host import (
    CAPABILITIES,
    ContextLengthExceededError,
    InvalidRequestError,
    capabilities_of,
)
from jan_host_onnx.generation.model import DecoderModel

from tests.plugins.onnx.decoder.talking import CAPITAL, STORY, chat, collect, completion

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_knows_the_capital_of_france(each: DecoderModel) -> None:
    answer = await collect(each.chat(chat(CAPITAL)))

    assert answer.text == "The capital of France is Paris."
    assert answer.reason == "stop"


async def test_it_offers_what_it_has(model: DecoderModel) -> None:
    assert capabilities_of(model) == [
        name for name in CAPABILITIES if name in ("chat", "complete", "tokenize")
    ]


async def test_the_last_delta_carries_the_counts(model: DecoderModel) -> None:
    answer = await collect(model.chat(chat(max_tokens=3)))

    assert (answer.reason, answer.usage.completion_tokens) == ("length", 3)
    assert [delta.usage is not None for delta in answer.deltas].count(True) == 1
    assert answer.timings.prompt_n + answer.timings.cache_n == answer.usage.prompt_tokens


async def test_the_next_turn_takes_over_what_the_last_one_computed(each: DecoderModel) -> None:
    beginning = "A long time ago, in a small village by a river, there lived a"
    first = await collect(each.complete(completion(beginning, max_tokens=12)))
    longer = beginning + first.text + " and then"
    second = await collect(each.complete(completion(longer, max_tokens=8)))

    assert second.timings.cache_n > 20
    assert second.text == (await collect(each.complete(completion(longer, max_tokens=8)))).text


async def test_choices_share_one_prompt(each: DecoderModel) -> None:
    answer = await collect(each.chat(chat(STORY, n=3, max_tokens=6, temperature=1.0, seed=5)))
    alone = await collect(each.chat(chat(STORY, max_tokens=6, temperature=1.0, seed=6)))

    assert len(set(answer.texts.values())) > 1
    assert answer.texts[1] == alone.text
    assert answer.timings.prompt_n + answer.timings.cache_n <= answer.usage.prompt_tokens + 2


async def test_log_probabilities_belong_to_the_text(each: DecoderModel) -> None:
    answer = await collect(each.chat(chat(logprobs=True, top_logprobs=3)))

    assert "".join(entry.token for entry in answer.logprobs) == answer.text
    for entry in answer.logprobs:
        best = [top.logprob for top in entry.top_logprobs]
        assert best == sorted(best, reverse=True)
        assert entry.logprob is not None
        assert math.isclose(entry.logprob, best[0]), "greedy takes the best"
        assert sum(math.exp(value) for value in best) <= 1 + 1e-6


async def test_log_probabilities_end_where_a_stop_string_cuts(model: DecoderModel) -> None:
    answer = await collect(model.chat(chat(logprobs=True, stop=["is Paris"])))

    assert answer.text == "The capital of France "
    assert [entry.token for entry in answer.logprobs][:4] == ["The", " capital", " of", " France"]
    assert len(answer.logprobs) <= 5


async def test_without_asking_there_are_no_log_probabilities(model: DecoderModel) -> None:
    assert (await collect(model.chat(chat(max_tokens=2)))).logprobs == []


async def test_echo_repeats_the_prompt(model: DecoderModel) -> None:
    asked = completion("The capital of France is", max_tokens=2, echo=True, n=2)

    assert (await collect(model.complete(asked))).texts == dict.fromkeys(
        (0, 1), "The capital of France is Paris."
    )


async def test_token_ids_are_a_prompt_too(model: DecoderModel) -> None:
    ids = await model.tokenize("The capital of France is")
    answer = await collect(model.complete(completion(ids, max_tokens=2)))

    assert (answer.text, answer.usage.prompt_tokens) == (" Paris.", len(ids))


async def test_an_answer_that_was_begun_is_continued(model: DecoderModel) -> None:
    from jan_host import ChatMessage

    asked = chat()
    asked.messages.append(ChatMessage(role="assistant", content="It is the city of"))
    answer = await collect(model.chat(asked))

    assert answer.usage.completion_tokens > 0


@pytest.mark.parametrize("stop", ["is Paris", "ital", "France is Par", "\u2588never", "."])
async def test_a_stop_string_ends_the_text_before_it(model: DecoderModel, stop: str) -> None:
    answer = await collect(model.chat(chat(stop=[stop])))

    assert answer.text == "The capital of France is Paris.".partition(stop)[0]
    assert answer.reason == "stop"


async def test_more_than_the_context_is_refused_with_both_numbers(model: DecoderModel) -> None:
    with pytest.raises(ContextLengthExceededError, match=r"512 tokens.* 530 tokens"):
        await collect(model.complete(completion([20] * 500, max_tokens=30)))


@pytest.mark.parametrize("bad", [49152, 2**31 - 1])
async def test_an_id_outside_the_vocabulary_is_refused(model: DecoderModel, bad: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"{bad} is not a token id"):
        await collect(model.complete(completion([1, bad])))


async def test_min_tokens_and_ignore_eos_hold_the_end_off(model: DecoderModel) -> None:
    least = await collect(model.chat(chat(min_tokens=20, max_tokens=24)))
    never = await collect(model.chat(chat(ignore_eos=True, max_tokens=24)))

    assert least.usage.completion_tokens >= 20
    assert (never.reason, never.usage.completion_tokens) == ("length", 24)


async def test_a_forbidden_token_does_not_come(model: DecoderModel) -> None:
    paris = (await model.tokenize(" Paris"))[0]
    answer = await collect(model.chat(chat(logit_bias={str(paris): -100})))

    assert " Paris" not in answer.text

"""What a text says again is computed at once, and is to the last bit the text that would have come anyway."""

from collections.abc import Callable
from typing import Any

import pytest
from jan_host import CompletionRequest
from jan_host.kit.generation import RunCosts
from jan_host_llamacpp.model import LlamaCppModel
from jan_host_llamacpp.native import NativeContext

from tests.plugins.llamacpp.talking import Answer, chat, collect, completion

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFRAIN = "The river runs to the sea, and the sea comes back as rain. " * 4

Steps = Callable[[], int]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """How many steps were computed since it was asked last; guesses pay, however busy the machine is."""
    monkeypatch.setattr(RunCosts, "learn", lambda *_: None)
    count = 0
    decode = NativeContext.decode

    def counting(context: NativeContext, batch: Any) -> int:
        nonlocal count
        count += 1
        return decode(context, batch)

    def told() -> int:
        nonlocal count
        found, count = count, 0
        return found

    monkeypatch.setattr(NativeContext, "decode", counting)
    return told


def _refrain(**options: Any) -> CompletionRequest:
    return completion(REFRAIN, **{"max_tokens": 40, "ignore_eos": True, **options})


async def test_a_refrain_comes_in_few_steps_and_says_the_same(model: LlamaCppModel, steps: Steps) -> None:
    alone = await collect(model.complete(_refrain()))
    few = steps()
    together = await collect(model.complete(_refrain(n=2)))  # a token of each in a step
    many = steps()

    assert alone.usage.completion_tokens == 40
    assert few < 30 < many
    assert set(together.texts.values()) == {alone.text}


async def test_log_probabilities_are_those_of_single_tokens(model: LlamaCppModel) -> None:
    alone = await collect(model.complete(_refrain(logprobs=2)))
    together = await collect(model.complete(_refrain(logprobs=2, n=2)))
    expected = [entry for delta in together.deltas if delta.index == 1 for entry in delta.logprobs]

    assert alone.logprobs == expected


async def test_a_seed_draws_the_same_tokens(model: LlamaCppModel, steps: Steps) -> None:
    seeded = {"temperature": 0.3, "seed": 7}
    together = await collect(model.complete(_refrain(**seeded, n=2)))
    steps()
    alone = await collect(model.complete(_refrain(**seeded)))

    assert steps() < 40
    assert alone.text == together.texts[0]


async def test_penalties_know_of_each_token_in_turn(model: LlamaCppModel) -> None:
    punished = {"repeat_penalty": 1.1, "frequency_penalty": 0.2, "dry_multiplier": 0.1}
    alone = await collect(model.complete(_refrain(**punished)))
    together = await collect(model.complete(_refrain(**punished, n=2)))

    assert set(together.texts.values()) == {alone.text}


async def test_what_was_guessed_wrong_is_gone_from_the_cache(model: LlamaCppModel) -> None:
    prompt = await model.tokenize("one two three one two three one two four one two three one two")
    answer = await collect(model.complete(completion(prompt, max_tokens=24, logprobs=1, ignore_eos=True)))
    longer = [*prompt, *_told(answer)]
    taken_over = await collect(model.complete(completion(longer, max_tokens=4)))
    anew = await collect(model.complete(completion(longer, max_tokens=4, echo=True, logprobs=0)))

    assert taken_over.timings.cache_n == len(longer) - 1
    assert anew.timings.cache_n == 0
    assert anew.text.endswith(taken_over.text)


async def test_a_stop_string_inside_of_a_draft_ends_the_text(model: LlamaCppModel) -> None:
    whole = await collect(model.complete(_refrain()))
    answer = await collect(model.complete(_refrain(stop=["comes back"])))
    again = await collect(model.complete(_refrain()))

    assert "comes back" in whole.text
    assert answer.text == whole.text.partition("comes back")[0]
    assert answer.usage.completion_tokens < whole.usage.completion_tokens
    assert again.text == whole.text


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_no_more_comes_than_was_asked_for(model: LlamaCppModel, limit: int) -> None:
    whole = await collect(model.complete(_refrain()))
    answer = await collect(model.complete(_refrain(max_tokens=limit)))

    assert (answer.usage.completion_tokens, answer.reason) == (limit, "length")
    assert whole.text.startswith(answer.text)


async def test_a_form_is_kept_to(model: LlamaCppModel) -> None:
    form = r"(one two three ){8}end"
    answer = await collect(model.chat(chat(regex=form)))

    assert answer.text == "one two three " * 8 + "end"


def _told(answer: Answer) -> list[int]:
    return [entry.token_id for entry in answer.logprobs if entry.token_id is not None]

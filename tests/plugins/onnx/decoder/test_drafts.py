"""What a text says again is computed at once, and is the text that would have come anyway."""

import re
from collections.abc import Callable
from typing import Any

import onnxruntime
import pytest
from jan_host import CompletionRequest
from jan_host_onnx.generation.model import DecoderModel

from tests.plugins.onnx.decoder.talking import Answer, chat, collect, completion

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFRAIN = "The river runs to the sea, and the sea comes back as rain. " * 4
CLOSE = 0.01
"""Of a log probability: a run of several tokens rounds in another order."""

Runs = Callable[[], int]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """How often a graph was run since it was asked last."""
    count = 0

    def counted(run: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any) -> Any:
            nonlocal count
            count += 1
            return run(*given)

        return counting

    def told() -> int:
        nonlocal count
        found, count = count, 0
        return found

    for name in ("run_with_iobinding", "run_with_ort_values"):
        run = getattr(onnxruntime.InferenceSession, name)
        monkeypatch.setattr(onnxruntime.InferenceSession, name, counted(run))
    return told


def _refrain(**options: Any) -> CompletionRequest:
    return completion(REFRAIN, **{"max_tokens": 40, "ignore_eos": True, **options})


async def test_a_refrain_comes_in_few_runs_and_says_the_same(each: DecoderModel, runs: Runs) -> None:
    alone = await collect(each.complete(_refrain()))
    few = runs()
    # Two choices are computed together, one token of each in a run.
    together = await collect(each.complete(_refrain(n=2)))
    many = runs()

    assert alone.usage.completion_tokens == 40
    assert few < 30 < many
    assert set(together.texts.values()) == {alone.text}


async def test_log_probabilities_are_those_of_single_tokens(each: DecoderModel) -> None:
    alone = await collect(each.complete(_refrain(logprobs=2)))
    together = await collect(each.complete(_refrain(logprobs=2, n=2)))
    expected = [entry for delta in together.deltas if delta.index == 1 for entry in delta.logprobs]

    assert _told(alone) == [entry.token_id for entry in expected]
    assert [entry.logprob for entry in alone.logprobs] == pytest.approx(
        [entry.logprob for entry in expected], abs=CLOSE
    )


async def test_a_seed_draws_the_same_tokens(each: DecoderModel, runs: Runs) -> None:
    seeded = {"temperature": 0.3, "seed": 20, "logprobs": 1}
    together = await collect(each.complete(_refrain(**seeded, n=2)))
    runs()
    alone = await collect(each.complete(_refrain(**seeded)))

    assert runs() < 40
    assert alone.text == together.texts[0]


async def test_what_was_guessed_wrong_is_gone_from_the_cache(each: DecoderModel) -> None:
    prompt = await each.tokenize("one two three one two three one two four one two three one two")
    answer = await collect(each.complete(completion(prompt, max_tokens=24, logprobs=1, ignore_eos=True)))
    longer = [*prompt, *_told(answer)]
    taken_over = await collect(each.complete(completion(longer, max_tokens=4, logprobs=1)))
    anew = await collect(each.complete(completion(longer, max_tokens=4, logprobs=1, n=2)))

    assert taken_over.timings.cache_n == len(longer) - 1
    assert taken_over.text == anew.texts[1]


async def test_a_stop_string_inside_of_a_draft_ends_the_text(each: DecoderModel) -> None:
    whole = await collect(each.complete(_refrain()))
    answer = await collect(each.complete(_refrain(stop=["comes back"])))

    assert "comes back" in whole.text
    assert answer.text == whole.text.partition("comes back")[0]
    assert answer.usage.completion_tokens < whole.usage.completion_tokens


async def test_tokens_that_can_come_alone_are_computed_at_once(each: DecoderModel, runs: Runs) -> None:
    form = r"The (Rhine|Danube) is a long river of Europe, and it is said to be beautiful too\."
    answer = await collect(each.chat(chat(regex=form)))
    few = runs()
    pair = await collect(each.chat(chat(regex=form, n=2)))

    assert re.fullmatch(form, answer.text)
    assert set(pair.texts.values()) == {answer.text}
    assert few < answer.usage.completion_tokens / 2


def _told(answer: Answer) -> list[int]:
    return [entry.token_id for entry in answer.logprobs if entry.token_id is not None]

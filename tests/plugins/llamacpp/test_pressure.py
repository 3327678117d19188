"""The scheduler where things go wrong: no cells left, a failing step; on a real context."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from jan_host import EngineError, GenerationOptions
from jan_host.kit.generation import ChoicePlan, Job, Prompt, Scheduler
from jan_host_llamacpp.kv import StreamKv, UnifiedKv
from jan_host_llamacpp.native import NativeContext, NativeModel
from jan_host_llamacpp.params import context_params, model_params
from jan_host_llamacpp.sampling import Sampler, build_sampler
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.stepper import Stepper, prompt_shares
from jan_host_llamacpp.vocab import Vocab

from tests.plugins.llamacpp.talking import Answer, collect


@pytest_asyncio.fixture
async def narrow(smollm2: Path) -> AsyncIterator[tuple[Scheduler, Vocab]]:
    """Four sequences that have 256 cells together, where each may ask for more."""
    settings = Settings(kv_layout="unified")
    model = NativeModel(smollm2, model_params(settings), lambda _: True)
    context = NativeContext(model, context_params(settings, 64, 4))
    vocab = Vocab(model.vocab)
    kv = UnifiedKv(context, 4, cuttable=True)
    stepper = Stepper(context, kv, Slots(kv), vocab)
    scheduler = Scheduler(stepper, workers=4, max_queue=4, name="narrow")
    yield scheduler, vocab
    await scheduler.close()
    context.free()
    model.free()


def _job(vocab: Vocab, text: str, limit: int) -> Job[Sampler]:
    options = GenerationOptions(temperature=0.0, ignore_eos=True)
    sampler = build_sampler(ChoicePlan.of(options, 0, vocab, 256), vocab)
    return Job(Prompt(vocab.tokenize(text)), [sampler], stops=[], limit=limit)


async def test_parked_prefixes_make_room(narrow: tuple[Scheduler, Vocab]) -> None:
    scheduler, vocab = narrow
    for text in ("One", "Two", "Three"):
        await collect(scheduler.run(_job(vocab, text, 60)))
    answer = await collect(scheduler.run(_job(vocab, "Four", 200)))

    assert answer.usage.completion_tokens == 200


async def test_who_finds_no_cells_fails_alone(narrow: tuple[Scheduler, Vocab]) -> None:
    scheduler, vocab = narrow
    jobs = [_job(vocab, text, limit) for text, limit in (("One", 40), ("Two", 240), ("Three", 240))]
    results = await asyncio.gather(*(collect(scheduler.run(job)) for job in jobs), return_exceptions=True)
    failed = [result for result in results if isinstance(result, EngineError)]
    answered = [result for result in results if isinstance(result, Answer)]

    assert len(failed) == 1
    assert "the KV cache is full" in failed[0].message
    assert sorted(answer.usage.completion_tokens for answer in answered) == [40, 240]


async def test_a_prompt_is_computed_in_the_pieces_that_fit(narrow: tuple[Scheduler, Vocab]) -> None:
    scheduler, vocab = narrow
    running = scheduler.run(_job(vocab, "One", 200))
    await anext(running)
    answer = await collect(scheduler.run(_job(vocab, "word " * 40, 2)))
    await running.aclose()

    assert answer.usage.completion_tokens == 2


async def test_a_request_is_cancelled_while_its_prompt_is_computed(smollm2: Path) -> None:
    settings = Settings()
    model = NativeModel(smollm2, model_params(settings), lambda _: True)
    context = NativeContext(model, context_params(settings, 1024, 1))
    vocab = Vocab(model.vocab)
    kv = StreamKv(context, 1, cuttable=True)
    stepper = Stepper(context, kv, Slots(kv), vocab)
    scheduler = Scheduler(stepper, workers=1, max_queue=4, name="cancelled")
    long, short = _job(vocab, "word " * 1000, 1), _job(vocab, "One", 4)
    reading = asyncio.create_task(collect(scheduler.run(long)))
    async with asyncio.timeout(60):
        while long not in stepper.working_for:  # noqa: ASYNC110  # the thread sets no event: a turn of the loop
            await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    answer = await collect(scheduler.run(short))
    await scheduler.close()
    context.free()
    model.free()

    assert reading.cancelled()
    assert long.computed_tokens < len(long.prompt), "the step that computed its prompt was ended"
    assert answer.usage.completion_tokens == 4


@pytest.mark.parametrize(
    ("budget", "wanted", "shares"),
    [
        (10, [], []),
        (10, [3, 4], [3, 4]),
        (100, [1000, 1000], [88, 12]),
        (100, [1000, 20], [80, 20]),
        (100, [1000, 20, 1000], [72, 20, 8]),
        (0, [5], [0]),
        (1, [5, 5], [1, 0]),
    ],
)
def test_prompts_share_a_step(budget: int, wanted: list[int], shares: list[int]) -> None:
    assert prompt_shares(budget, wanted) == shares


@given(st.integers(0, 4096), st.lists(st.integers(1, 10_000), max_size=40))
def test_a_step_is_filled_and_no_prompt_starves(budget: int, wanted: list[int]) -> None:
    shares = prompt_shares(budget, wanted)
    assert sum(shares) == min(budget, sum(wanted))
    assert all(0 <= share <= most for share, most in zip(shares, wanted, strict=True))
    assert budget // 4 < len(wanted) or all(shares)

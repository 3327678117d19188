"""The scheduler where things go wrong: no cells left, a failing step; on a real context."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jan_host import EngineError, GenerationOptions
from jan_host.kit.generation import ChoicePlan, Job, Prompt, Scheduler
from jan_host_llamacpp.batch import Fills
from jan_host_llamacpp.kv import KvCache, StreamKv, UnifiedKv
from jan_host_llamacpp.native import NativeContext, NativeModel
from jan_host_llamacpp.params import context_params, model_params
from jan_host_llamacpp.planning import prompt_shares
from jan_host_llamacpp.sampling import Sampler, build_sampler
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.slots import Slots
from jan_host_llamacpp.stepper import Stepper
from jan_host_llamacpp.vocab import Vocab

from tests.plugins.llamacpp.talking import Answer, collect


class Unreserved(UnifiedKv):
    """Lets everyone in, whether there are cells enough or not."""

    @property
    def cells(self) -> None:
        """Not told."""


class Watched(NativeContext):
    """Tells when a step begins to be computed."""

    def __init__(self, model: NativeModel, params: Any) -> None:
        super().__init__(model, params)
        self.begun: asyncio.Queue[int] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def decode(self, batch: Fills) -> int:
        self._loop.call_soon_threadsafe(self.begun.put_nowait, batch.struct.n_tokens)
        return super().decode(batch)


@dataclass
class Bench:
    """A scheduler on a real context, and what is in it."""

    context: Watched
    stepper: Stepper
    scheduler: Scheduler
    vocab: Vocab

    def job(self, text: str, limit: int) -> Job[Sampler]:
        options = GenerationOptions(temperature=0.0, ignore_eos=True)
        sampler = build_sampler(ChoicePlan.of(options, 0, self.vocab, 256), self.vocab)
        return Job(Prompt(self.vocab.tokenize(text)), [sampler], stops=[], limit=limit)

    async def answer(self, text: str, limit: int) -> Answer:
        return await collect(self.scheduler.run(self.job(text, limit)))


@asynccontextmanager
async def bench(path: Path, layout: type[KvCache], cells: int, sequences: int) -> AsyncIterator[Bench]:
    """So many cells for each sequence on the average; in a unified buffer each may ask for all of them."""
    settings = Settings(kv_layout="streams" if layout is StreamKv else "unified")
    model = NativeModel(path, model_params(settings), lambda _: True)
    context = Watched(model, context_params(settings, cells, sequences))
    vocab = Vocab(model.vocab)
    kv = layout(context, sequences, cuttable=True)
    stepper = Stepper(context, kv, Slots(kv), vocab)
    scheduler = Scheduler(stepper, workers=sequences, max_queue=4, name="bench")
    try:
        yield Bench(context, stepper, scheduler, vocab)
    finally:
        await scheduler.close()
        context.free()
        model.free()


async def test_parked_prefixes_make_room(smollm2: Path) -> None:
    async with bench(smollm2, UnifiedKv, 64, 4) as narrow:
        for text in ("One", "Two", "Three"):
            await narrow.answer(text, 60)
        answer = await narrow.answer("Four", 200)

    assert answer.usage.completion_tokens == 200


async def test_who_may_need_more_cells_than_are_left_waits_for_them(smollm2: Path) -> None:
    async with bench(smollm2, UnifiedKv, 64, 4) as narrow:
        limits = (40, 240, 240)
        answers = await asyncio.gather(
            *(narrow.answer(text, limit) for text, limit in zip(("One", "Two", "Three"), limits, strict=True))
        )

    assert [answer.usage.completion_tokens for answer in answers] == list(limits)


async def test_who_finds_no_cells_fails_alone(smollm2: Path) -> None:
    async with bench(smollm2, Unreserved, 64, 4) as narrow:
        results = await asyncio.gather(
            *(narrow.answer(text, limit) for text, limit in (("One", 40), ("Two", 240), ("Three", 240))),
            return_exceptions=True,
        )
    failed = [result for result in results if isinstance(result, EngineError)]
    answered = [result for result in results if isinstance(result, Answer)]

    assert len(failed) == 1
    assert "the KV cache is full" in failed[0].message
    assert sorted(answer.usage.completion_tokens for answer in answered) == [40, 240]


async def test_a_prompt_is_computed_in_the_pieces_that_fit(smollm2: Path) -> None:
    async with bench(smollm2, Unreserved, 64, 4) as narrow:
        running = narrow.scheduler.run(narrow.job("One", 200))
        await anext(running)
        answer = await narrow.answer("word " * 40, 2)
        await running.aclose()

    assert answer.usage.completion_tokens == 2


async def test_a_request_is_cancelled_while_its_prompt_is_computed(smollm2: Path) -> None:
    async with bench(smollm2, StreamKv, 1024, 1) as single:
        long = single.job("word " * 1000, 1)
        reading = asyncio.create_task(collect(single.scheduler.run(long)))
        async with asyncio.timeout(60):
            await single.context.begun.get()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        answer = await single.answer("One", 4)

    assert reading.cancelled()
    assert long.computed_tokens < len(long.prompt), "the step that computed its prompt was ended"
    assert answer.usage.completion_tokens == 4


async def test_a_long_prompt_is_cancelled_at_once_also_beside_a_stream(smollm2: Path) -> None:
    async with bench(smollm2, StreamKv, 1024, 2) as pair:
        alone = await pair.answer("Count: one, two,", 30)
        stream = pair.scheduler.run(pair.job("Count: one, two,", 30))
        first = await anext(stream)
        long = pair.job("word " * 1000, 1)
        reading = asyncio.create_task(collect(pair.scheduler.run(long)))
        async with asyncio.timeout(60):
            while long not in (working_for := pair.stepper.working_for):
                await pair.context.begun.get()
        reading.cancel()
        rest = await collect(stream)

    assert tuple(working_for) == (long,), "most of the step was its prompt"
    assert long.computed_tokens < len(long.prompt)
    assert first.text + rest.text == alone.text


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

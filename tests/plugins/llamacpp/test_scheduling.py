"""Many requests at once: together as alone, waiting, cancelled, and in both KV layouts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from jan_host import Delta, TooManyRequestsError
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import CAPITAL, STORY, chat, collect, completion, load

pytestmark = pytest.mark.asyncio(loop_scope="session")

LANDS = ("France", "Spain", "Italy", "Germany", "Japan", "Egypt", "Norway", "Peru")
QUESTIONS = [f"What is the capital of {land}? Answer in one sentence." for land in LANDS]
LONG = [100 + index % 800 for index in range(400)]


async def _answers(model: LlamaCppModel) -> list[str]:
    return [(await collect(model.chat(chat(question, max_tokens=12)))).text for question in QUESTIONS]


async def _free(model: LlamaCppModel, requests: int) -> None:
    """Wait until `requests` can start at once: each shows its first token while all others still run."""
    running = [
        model.complete(completion(f"{number}.", max_tokens=400, ignore_eos=True))
        for number in range(requests)
    ]
    async with asyncio.timeout(60):
        await asyncio.gather(*(_first(deltas) for deltas in running))
    for deltas in running:
        await _close(deltas)


async def _first(deltas: AsyncIterator[Delta]) -> Delta:
    return await anext(deltas)


async def _close(deltas: AsyncIterator[Delta]) -> None:
    close = getattr(deltas, "aclose")  # noqa: B009  # an AsyncIterator need not have it; these do
    await close()


@pytest.mark.parametrize("layout", ["streams", "unified"])
async def test_eight_at_once_answer_as_each_alone(smollm2: Path, layout: str) -> None:
    model = await load(smollm2, kv_layout=layout, n_parallel=8, ctx_len=256)
    alone = await _answers(model)
    together = await asyncio.gather(*(collect(model.chat(chat(q, max_tokens=12))) for q in QUESTIONS))
    await model.unload()

    assert alone[0] == "The capital of France is Paris."
    assert [answer.text for answer in together] == alone


async def test_a_seed_gives_the_same_answer_alone_and_among_seven_others(smollm2: Path) -> None:
    # Where cells lie in a unified buffer changes how sums are rounded, which can turn a close draw.
    model = await load(smollm2, kv_layout="streams", n_parallel=8, ctx_len=256)
    requests = [
        chat(question, max_tokens=24, temperature=1.0, seed=number, ignore_eos=True)
        for number, question in enumerate(QUESTIONS)
    ]
    together = await asyncio.gather(*(collect(model.chat(request)) for request in requests))
    alone = [await collect(model.chat(request)) for request in requests]
    await model.unload()

    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert len({answer.text for answer in alone}) == len(requests)


async def test_prompts_that_come_together_share_their_beginning(smollm2: Path) -> None:
    model = await load(smollm2, n_parallel=4)
    shared = "Here is a list of things that everybody should know about rivers, lakes and the sea. " * 4
    answers = await asyncio.gather(
        *(
            collect(model.complete(completion(f"{shared} {end}", max_tokens=2)))
            for end in ("One", "Two", "Six")
        )
    )
    await model.unload()

    size = answers[0].usage.prompt_tokens
    assert sum(answer.timings.prompt_n for answer in answers) < size + 20
    assert sorted(answer.timings.cache_n > 60 for answer in answers) == [False, True, True]


async def test_who_stays_is_not_disturbed_by_who_leaves(smollm2: Path) -> None:
    model = await load(smollm2, n_parallel=4)
    requests = [
        completion(f"The {word} is", max_tokens=24, ignore_eos=True) for word in ("sea", "sun", "sky", "end")
    ]
    alone = [(await collect(model.complete(request))).text for request in requests]
    streams = [model.complete(request) for request in requests]
    shown = [(await _first(stream)).text for stream in streams]
    await _close(streams[0])
    await _close(streams[2])
    rest = await asyncio.gather(collect(streams[1]), collect(streams[3]))
    again = await collect(model.complete(requests[2]))
    await model.unload()

    assert [shown[1] + rest[0].text, shown[3] + rest[1].text, again.text] == [alone[1], alone[3], alone[2]]


async def test_more_requests_than_sequences_wait_their_turn(model: LlamaCppModel) -> None:
    running: set[int] = set()
    most = 0

    async def ask(number: int) -> str:
        nonlocal most
        text = ""
        async for delta in model.chat(chat(CAPITAL)):
            running.add(number)
            most = max(most, len(running))
            text += delta.text
            if delta.finish_reason is not None:
                running.discard(number)
        return text

    answers = await asyncio.gather(*(ask(number) for number in range(7)))

    assert set(answers) == {"The capital of France is Paris."}
    assert most == 4, "no more than there are sequences"


async def test_requests_beyond_the_queue_are_refused_and_told_when_to_return(model: LlamaCppModel) -> None:
    results = await asyncio.gather(
        *(collect(model.chat(chat(CAPITAL, max_tokens=8))) for _ in range(10)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, TooManyRequestsError)]

    assert len(refused) == 3  # 4 run, 3 wait
    assert all(error.retry_after and error.retry_after >= 1 for error in refused)
    assert (await collect(model.chat(chat(CAPITAL)))).text == "The capital of France is Paris."


async def test_a_closed_stream_frees_its_sequence(model: LlamaCppModel) -> None:
    for _ in range(6):
        deltas = model.complete(completion("Once upon a time", max_tokens=400, ignore_eos=True))
        await _first(deltas)
        await _close(deltas)
    await _free(model, 4)


async def test_a_waiting_request_can_be_cancelled(model: LlamaCppModel) -> None:
    running = [model.complete(completion(f"{n}:", max_tokens=400, ignore_eos=True)) for n in range(4)]
    for deltas in running:
        await _first(deltas)
    waiting = asyncio.create_task(collect(model.chat(chat(STORY))))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    for deltas in running:
        await _close(deltas)
    await _free(model, 4)


async def test_a_long_prompt_does_not_stop_the_streams_of_others(model: LlamaCppModel) -> None:
    stream = model.complete(completion("Count: one, two,", max_tokens=400, ignore_eos=True))
    await _first(stream)
    reading = asyncio.create_task(collect(model.complete(completion([7, *LONG], max_tokens=1))))
    shown = 0
    while not reading.done():
        await _first(stream)
        shown += 1
    await _close(stream)

    assert shown >= 3
    assert (await reading).usage.prompt_tokens == 401


async def test_unload_ends_what_still_runs(smollm2: Path) -> None:
    model = await load(smollm2)
    deltas = model.complete(completion("Once", max_tokens=400, ignore_eos=True))
    await _first(deltas)
    async with asyncio.timeout(60):
        await model.unload()
        with pytest.raises(Exception, match="unloaded"):
            await collect(deltas)

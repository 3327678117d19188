"""Many requests at once on decoder graphs: the same answers, fair turns, cancellation, a bounded queue."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import pairwise

import pytest
from jan_host import Delta, TooManyRequestsError
from jan_host_onnx.generation.model import DecoderModel

from tests.plugins.onnx.decoder.folders import decoder_folder
from tests.plugins.onnx.decoder.talking import CAPITAL, STORY, chat, collect, load

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTIONS = (CAPITAL, STORY, "Name three colours.", "Write a poem about snow, please, in two lines.")


async def test_together_they_say_what_each_says_alone(each: DecoderModel) -> None:
    alone = [(await collect(each.chat(chat(text, max_tokens=24)))).text for text in QUESTIONS]
    together = await asyncio.gather(*[collect(each.chat(chat(text, max_tokens=24))) for text in QUESTIONS])

    assert [answer.text for answer in together] == alone


async def test_a_seed_gives_the_same_text_whatever_else_runs(each: DecoderModel) -> None:
    seeded = chat(STORY, temperature=1.0, seed=11, max_tokens=24)
    alone = (await collect(each.chat(seeded))).text
    others = [collect(each.chat(chat(text, temperature=1.0, max_tokens=30))) for text in QUESTIONS[:3]]
    beside, *_ = await asyncio.gather(collect(each.chat(seeded)), *others)

    assert beside.text == alone


async def test_graphs_that_do_not_batch_give_each_its_turn() -> None:
    model = await load(decoder_folder("unplaced"))
    alone = [(await collect(model.chat(chat(text, max_tokens=12)))).text for text in QUESTIONS[:2]]
    order: list[int] = []

    async def watch(number: int) -> str:
        text = ""
        async for delta in model.chat(chat(QUESTIONS[number], max_tokens=12)):
            order.append(number)
            text += delta.text
        return text

    assert list(await asyncio.gather(watch(0), watch(1))) == alone
    switches = sum(one != other for one, other in pairwise(order))
    assert switches > 4, f"they took turns: {order}"
    await model.unload()


async def test_a_long_prompt_does_not_hold_up_a_stream(model: DecoderModel) -> None:
    stream = model.chat(chat(STORY, max_tokens=60))
    await anext(aiter(stream))
    long = asyncio.ensure_future(collect(model.chat(chat("river " * 400, max_tokens=1))))
    between = 0
    while not long.done():
        await anext(aiter(stream))
        between += 1
    assert between >= 2
    await _close(stream)


async def test_a_closed_stream_frees_its_place(each: DecoderModel) -> None:
    for _ in range(6):
        stream = each.chat(chat(STORY, max_tokens=200))
        await anext(aiter(stream))
        await _close(stream)

    assert (await collect(each.chat(chat()))).text == "The capital of France is Paris."


async def test_a_prompt_that_is_given_up_stops_within_a_piece(model: DecoderModel) -> None:
    task = asyncio.ensure_future(collect(model.chat(chat("sea " * 450, max_tokens=2))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer = await collect(model.chat(chat()))

    assert answer.text == "The capital of France is Paris."


async def test_too_many_are_refused(model: DecoderModel) -> None:
    streams = [model.chat(chat(STORY, max_tokens=100)) for _ in range(7)]
    first = [asyncio.ensure_future(anext(aiter(stream))) for stream in streams]
    await asyncio.wait(first[:1])
    with pytest.raises(TooManyRequestsError):
        await collect(model.chat(chat()))
    for task in first:
        task.cancel()
    await asyncio.gather(*first, return_exceptions=True)
    for stream in streams:
        await _close(stream)


async def _close(stream: AsyncIterator[Delta]) -> None:
    assert isinstance(stream, AsyncGenerator)
    await stream.aclose()

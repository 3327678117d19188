"""A long prompt arrives while others stream: how long does it hold them up?"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.client import WITHOUT_END, Answer, Client
from tests.bench.prompts import long_text, story, user
from tests.bench.scenarios.scenario import BETWEEN_TOKENS_P95, FIRST_TOKEN, Round, failures, p95

STREAMS = 4
CONTEXT = 4608
PROMPT_TOKENS = 4000
MOST_TOKENS = 2000
"""Of the streams: more than they say until the long prompt is read."""
UNDER_WAY = 8
"""Pieces after which a stream runs evenly."""


async def play(client: Client, turn: int) -> Round:
    """The streams begin, the prompt comes, and all is over when it has its first tokens."""
    async with _streaming(client, turn) as streams:
        prompt = long_text(f"The whole story number {turn}.", PROMPT_TOKENS)
        long = await client.ask([user(prompt)], 4, logit_bias=WITHOUT_END)
    until = long.began + long.first_token
    gaps = [gap for stream in streams for gap in stream.gaps(long.began, until)]
    figures = {BETWEEN_TOKENS_P95: p95(gaps), FIRST_TOKEN: long.first_token}
    return Round(figures, failures([long]) + sum(len(stream.times) < UNDER_WAY for stream in streams))


@asynccontextmanager
async def _streaming(client: Client, turn: int) -> AsyncIterator[list[Answer]]:
    """Streams that are under way; they end with the block."""
    streams = [Answer(time.perf_counter()) for _ in range(STREAMS)]
    under_way = [asyncio.Event() for _ in range(STREAMS)]
    tasks = [
        asyncio.create_task(_listen(client, answer, event, number, turn))
        for number, (answer, event) in enumerate(zip(streams, under_way, strict=True))
    ]
    try:
        await asyncio.gather(*(event.wait() for event in under_way))
        yield streams
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(client: Client, answer: Answer, under_way: asyncio.Event, number: int, turn: int) -> None:
    try:
        async for _ in client.hear(answer, story(number, turn), MOST_TOKENS, logit_bias=WITHOUT_END):
            if len(answer.times) >= UNDER_WAY:
                under_way.set()
    finally:
        under_way.set()

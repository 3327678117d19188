"""Some streams at once with distinct prompts: alone on the machine, or beside other work."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from tests.bench.busy import busy_core
from tests.bench.client import WITHOUT_END, Client
from tests.bench.prompts import story
from tests.bench.scenarios.scenario import FIRST_TOKEN, TOKENS_PER_SECOND, Round


def streams(count: int, tokens: int) -> Callable[[Client, int], Awaitable[Round]]:
    """`count` requests at once, each with an answer of `tokens` tokens."""

    async def play(client: Client, turn: int) -> Round:
        began = time.perf_counter()
        answers = await asyncio.gather(
            *(client.ask(story(number, turn), tokens, logit_bias=WITHOUT_END) for number in range(count))
        )
        seconds = time.perf_counter() - began
        # Only an answer that ran to its limit has a length that is known without trusting the server's count.
        whole = [answer for answer in answers if answer.finish_reason == "length"]
        figures = {TOKENS_PER_SECOND: len(whole) * tokens / seconds}
        if whole:
            figures[FIRST_TOKEN] = statistics.median(answer.first_token for answer in whole)
        return Round(figures, count - len(whole))

    return play


def beside_other_work(
    play: Callable[[Client, int], Awaitable[Round]],
) -> Callable[[Client, int], Awaitable[Round]]:
    """The same while a process of somebody else computes without a pause."""

    async def busy(client: Client, turn: int) -> Round:
        with busy_core():
            return await play(client, turn)

    return busy

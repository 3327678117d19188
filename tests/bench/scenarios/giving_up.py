"""A client gives its request up, and another one is waiting for the only sequence: for how long?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.client import WITHOUT_END, Answer, Client
from tests.bench.prompts import long_text, story, user
from tests.bench.scenarios.scenario import Round, failures

CONTEXT = 4608
PROMPT_TOKENS = 4000
"""Of which the time to read is far longer than `UNDER_WAY_SECONDS`."""
UNDER_WAY_SECONDS = 0.5
"""After which a server surely works on a request."""
BEHIND_NOTHING = "first token of an idle server"
BEHIND_PROMPT = "first token behind a prompt given up"
BEHIND_ANSWER = "first token behind an answer given up"
BEHIND_QUEUE = "first token behind a queue given up"


async def play(client: Client, turn: int) -> Round:
    """The same short question behind nothing, and behind requests that end in each of their phases."""
    prompt = [user(long_text(f"The whole story number {turn}.", PROMPT_TOKENS))]
    answers = {BEHIND_NOTHING: await _next(client, turn, 0)}
    async with _under_way(client, prompt, 4):
        pass
    answers[BEHIND_PROMPT] = await _next(client, turn, 1)
    async with _under_way(client, story(5, turn), 1000):
        pass
    answers[BEHIND_ANSWER] = await _next(client, turn, 2)
    async with _under_way(client, story(6, turn), 1000), _under_way(client, prompt, 4):
        pass
    answers[BEHIND_QUEUE] = await _next(client, turn, 3)
    figures = {name: answer.first_token for name, answer in answers.items()}
    return Round(figures, failures(list(answers.values())))


@asynccontextmanager
async def _under_way(client: Client, messages: list[dict[str, str]], tokens: int) -> AsyncIterator[None]:
    """A request that the server works on, or has in its queue; it is given up with the block."""
    task = asyncio.create_task(client.ask(messages, tokens, logit_bias=WITHOUT_END))
    try:
        await asyncio.sleep(UNDER_WAY_SECONDS)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _next(client: Client, turn: int, number: int) -> Answer:
    return await client.ask(story(number, turn), 2, logit_bias=WITHOUT_END)

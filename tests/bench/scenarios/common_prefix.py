"""Many requests that arrive together and share a long system prompt which nobody has computed yet."""

import asyncio

from tests.bench.client import WITHOUT_END, Client
from tests.bench.prompts import TOPICS, long_text, system, user
from tests.bench.scenarios.scenario import FIRST_TOKEN_P95, Round, failures, p95

STREAMS = 16
SYSTEM_TOKENS = 512
TOKENS = 16


async def play(client: Client, turn: int) -> Round:
    """One round, with a system prompt of its own."""
    rules = system(long_text(f"Rules number {turn} of this house.", SYSTEM_TOKENS))
    questions = [
        f"Question {number}: what about {TOPICS[number % len(TOPICS)]}?" for number in range(STREAMS)
    ]
    answers = await asyncio.gather(
        *(client.ask([rules, user(question)], TOKENS, logit_bias=WITHOUT_END) for question in questions)
    )
    return Round({FIRST_TOKEN_P95: p95([answer.first_token for answer in answers])}, failures(answers))

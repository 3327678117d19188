"""More conversations than the server has sequences: what was said before should not be computed again."""

import asyncio
import time

from tests.bench.client import WITHOUT_END, Answer, Client
from tests.bench.prompts import TOPICS, assistant, long_text, user
from tests.bench.scenarios.scenario import TOKENS_PER_SECOND, Round, failures

CONVERSATIONS = 16
SLOTS = 8
TURNS = 4
OPENING_TOKENS = 200
TOKENS = 48


async def play(client: Client, turn: int) -> Round:
    """All conversations at once, each from its first message to its last answer."""
    began = time.perf_counter()
    told = await asyncio.gather(*(_converse(client, turn, number) for number in range(CONVERSATIONS)))
    seconds = time.perf_counter() - began
    answers = [answer for each in told for answer in each]
    done = sum(answer.finish_reason == "length" for answer in answers)
    return Round({TOKENS_PER_SECOND: done * TOKENS / seconds}, failures(answers))


async def _converse(client: Client, turn: int, number: int) -> list[Answer]:
    topic = TOPICS[number % len(TOPICS)]
    messages = [user(long_text(f"Conversation {turn}-{number} about {topic}.", OPENING_TOKENS))]
    answers: list[Answer] = []
    for place in range(TURNS):
        answers.append(await client.ask(messages, TOKENS, logit_bias=WITHOUT_END))
        messages += [assistant(answers[-1].text), user(f"And what came {place + 1} days later, in {topic}?")]
    return answers

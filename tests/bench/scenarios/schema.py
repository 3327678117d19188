"""Answers that are held to a JSON schema."""

import asyncio
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.bench.client import Client
from tests.bench.prompts import user
from tests.bench.scenarios.scenario import TOKENS_PER_SECOND, Round, failures
from tests.models import smollm2_file

STREAMS = 4
MOST_TOKENS = 256
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 20, "maxLength": 60},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "biography": {"type": "string", "minLength": 200, "maxLength": 400},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 4, "maxItems": 6},
    },
    "required": ["name", "age", "biography", "tags"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}


async def play(client: Client, turn: int) -> Round:
    """Persons, each with a name of its own."""
    questions = [f"Describe person number {number} of group {turn} as JSON." for number in range(STREAMS)]
    began = time.perf_counter()
    answers = await asyncio.gather(
        *(client.ask([user(question)], MOST_TOKENS, response_format=FORMAT) for question in questions)
    )
    seconds = time.perf_counter() - began
    count = _counter()
    tokens = sum(count(answer.text) for answer in answers)
    return Round({TOKENS_PER_SECOND: tokens / seconds}, failures(answers))


@cache
def _counter() -> Callable[[str], int]:
    """Counts the tokens of a text in the same way for all servers, whatever pieces they made it of."""
    from llama_cpp import Llama

    vocabulary = Llama(str(smollm2_file()), vocab_only=True, verbose=False)
    return lambda text: len(vocabulary.tokenize(text.encode(), add_bos=False))

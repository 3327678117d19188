"""Tokens a second of the llama.cpp engine when texts are held to a JSON schema, next to free text.

    python -m tests.bench.structured [--model FILE] [--streams N] [--rounds N] [--tokens N]

Both contenders have the same prompts and sampling options in turn, in one process. Free texts are as many
tokens long as a JSON text may be at most; what counts are the tokens that came. The third contender is held
to the same schema with every token chosen one by one: the difference to the second one is what tokens save
that can come alone. Figures are medians over rounds, ratios are of the same round.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jan_host import ChatMessage, ChatRequest, JsonSchema, JsonSchemaFormat
from jan_host_llamacpp.model import LlamaCppModel

from tests.bench.scenarios.schema import SCHEMA
from tests.models import smollm2_file
from tests.plugins.llamacpp.talking import load

Contender = Callable[[int], Awaitable[int]]


class Asking:
    """Asks for people, with some options."""

    def __init__(self, model: LlamaCppModel, tokens: int, **options: Any) -> None:
        self._model = model
        self._options = {"max_tokens": tokens, "temperature": 1.0, **options}
        self._turn = 0

    async def run(self, streams: int) -> int:
        """How many tokens so many requests at once gave."""
        self._turn += 1
        return sum(await asyncio.gather(*[self._ask(number) for number in range(streams)]))

    async def _ask(self, number: int) -> int:
        question = f"Describe person number {number} of group {self._turn} as JSON."
        messages = [ChatMessage(role="user", content=question)]
        request = ChatRequest(messages=messages, seed=number, **self._options)
        used = 0
        async for delta in self._model.chat(request):
            used = delta.usage.completion_tokens if delta.usage else used
        return used


async def measure(path: Path, streams: int, rounds: int, tokens: int) -> None:
    """Print a table."""
    model = await load(path, n_parallel=streams, ctx_len=1024)
    schema = JsonSchemaFormat(json_schema=JsonSchema(name="person", schema=SCHEMA, strict=True))
    contenders: dict[str, Contender] = {
        "free text": Asking(model, tokens, ignore_eos=True).run,
        "schema": Asking(model, tokens, response_format=schema).run,
        "schema, token by token": Asking(model, tokens, response_format=schema, logprobs=True).run,
    }
    for run in contenders.values():
        await run(streams)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            made = await run(streams)
            rates[name].append(made / (time.perf_counter() - started))
    print(f"{path.name}, {streams} streams, {rounds} rounds; tokens/s, ratio to free text of the same round")
    for name, values in rates.items():
        ratio = statistics.median(own / free for own, free in zip(values, rates["free text"], strict=True))
        print(f"{name:24} {statistics.median(values):8.1f}  {ratio:.2f}")
    await model.unload()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=None, help="a GGUF file; SmolLM2 when left out")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=160)
    given = parser.parse_args()
    asyncio.run(measure(given.model or smollm2_file(), given.streams, given.rounds, given.tokens))


if __name__ == "__main__":
    main()

"""Two models that generate at the same time, next to the same work one after the other.

    python -m tests.bench.contention [--model PATH] [--rounds N] [--streams N] [--tokens N] [--native]

Two copies of one file are two models of one host, each in a worker of its own. What counts are the
tokens per second of both together; the aim is 0.8 of what they have one after the other. With ``--native``
two of llama.cpp's own servers do the same work, each with as many threads as there are cores.
"""

import argparse
import asyncio
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.client import WITHOUT_END, Client, connected
from tests.bench.contenders import NATIVE, OURS, Setup, jan_host, native
from tests.bench.prompts import story
from tests.models import smollm2_file

MODELS = ("first", "second")
CONTEXT = 1024
AIM = 0.8


@dataclass(frozen=True, slots=True)
class Talker:
    """A model and the client of its server."""

    client: Client
    model: str

    async def talk(self, streams: int, tokens: int, turn: int) -> int:
        """Some answers at once; how many tokens they have all together."""
        answers = await asyncio.gather(
            *(
                self.client.ask(story(number, turn), tokens, model=self.model, logit_bias=WITHOUT_END)
                for number in range(streams)
            )
        )
        return sum(tokens for answer in answers if answer.finish_reason == "length")


@asynccontextmanager
async def two_models(file: Path, streams: int, folder: Path) -> AsyncIterator[list[Talker]]:
    """Two models of one host."""
    folder.mkdir()
    with jan_host(file, Setup(streams, CONTEXT), folder, MODELS) as host:
        async with connected(host.url) as client:
            yield [Talker(client, model) for model in MODELS]


@asynccontextmanager
async def two_servers(file: Path, streams: int, folder: Path) -> AsyncIterator[list[Talker]]:
    """Two native servers that know nothing of each other."""
    async with AsyncExitStack() as stack:
        talkers = []
        for model in MODELS:
            own = folder / model
            own.mkdir(parents=True)
            server = stack.enter_context(native(file, Setup(streams, CONTEXT), own))
            client = await stack.enter_async_context(connected(server.url))
            talkers.append(Talker(client, model))
        yield talkers


KINDS = {OURS: two_models, NATIVE: two_servers}


async def rates(talkers: Sequence[Talker], streams: int, tokens: int, turn: int) -> tuple[float, float]:
    """Tokens per second one after the other, and together."""
    began = time.perf_counter()
    apart = sum([await talker.talk(streams, tokens, turn) for talker in talkers])
    between = time.perf_counter()
    together = sum(await asyncio.gather(*(talker.talk(streams, tokens, -turn) for talker in talkers)))
    return apart / (between - began), together / (time.perf_counter() - between)


async def measure(file: Path, names: Sequence[str], streams: int, tokens: int, rounds: int) -> None:
    """Print a line for each contender."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            async with KINDS[name](file, streams, Path(folder) / name) as talkers:
                for talker in talkers:
                    await talker.talk(1, 8, 0)
                both = [await rates(talkers, streams, tokens, turn) for turn in range(1, rounds + 1)]
            ratio = statistics.median(together / apart for apart, together in both)
            apart, together = (statistics.median(each) for each in zip(*both, strict=True))
            print(
                f"{name}: {apart:.1f} tokens/s one after the other, {together:.1f} together:"
                f" {ratio:.2f} x (aim: {AIM})",
                flush=True,
            )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a file or a folder; SmolLM2 when left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=1, help="of each model")
    parser.add_argument("--tokens", type=int, default=192, help="of each answer")
    parser.add_argument("--native", action="store_true", help="two native servers too")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the servers end with the bench
    names = [OURS, NATIVE] if given.native else [OURS]
    model = given.model or smollm2_file()
    asyncio.run(measure(model, names, given.streams, given.tokens, given.rounds))


if __name__ == "__main__":
    main()

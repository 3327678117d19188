"""The contenders of a scenario take turns, each round in another order; what counts are medians of rounds."""

import statistics
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.client import WITHOUT_END, Client, connected
from tests.bench.contenders import OURS, running
from tests.bench.prompts import story
from tests.bench.scenarios.scenario import Round, Scenario


@dataclass(slots=True)
class Results:
    """What the contenders did in one scenario, by their names, a round each."""

    scenario: Scenario
    rounds: dict[str, list[Round]] = field(default_factory=dict)

    def figure(self, contender: str, name: str) -> float:
        """The median over the rounds; NaN where there was no such figure."""
        values = [each.figures[name] for each in self.rounds[contender] if name in each.figures]
        return statistics.median(values) if values else float("nan")

    def ratio(self, peer: str, name: str) -> float:
        """How many times the peer's figure ours is: the median of the rounds' ratios, NaN without one."""
        pairs = zip(self.rounds[OURS], self.rounds[peer], strict=True)
        both = [(ours.figures[name], its.figures[name]) for ours, its in pairs if _have(name, ours, its)]
        return statistics.median(ours / its for ours, its in both) if both else float("nan")

    def failed(self, contender: str) -> int:
        """Requests of all rounds that had no whole answer."""
        return sum(each.failed for each in self.rounds[contender])


def _have(name: str, *rounds: Round) -> bool:
    return all(each.figures.get(name) for each in rounds)


async def measure(scenario: Scenario, contenders: Sequence[str], file: Path, rounds: int) -> Results:
    """Start the contenders, let each warm up, and play.

    Args:
        scenario: What to play.
        contenders: Those of the scenario that are wanted; the peers of the others' aims are left out.
        file: The model's file.
        rounds: How often.
    """
    results = Results(scenario, {name: [] for name in contenders})
    with (
        tempfile.TemporaryDirectory() as folder,
        running(contenders, file, scenario.setup, Path(folder)) as servers,
    ):
        async with AsyncExitStack() as stack:
            clients = {each.name: await stack.enter_async_context(connected(each.url)) for each in servers}
            for client in clients.values():
                await _warm_up(client)
            for turn in range(1, rounds + 1):
                shift = turn % len(contenders)
                for name in [*contenders[shift:], *contenders[:shift]]:
                    results.rounds[name].append(await scenario.play(clients[name], turn))
    return results


async def _warm_up(client: Client) -> None:
    """The model comes into memory.

    Raises:
        RuntimeError: The server does not answer; nothing that follows would mean anything.
    """
    answer = await client.ask(story(0, 0), 8, logit_bias=WITHOUT_END)
    if answer.finish_reason is None:
        raise RuntimeError(f"{client.url} did not answer its first request.")

"""Speed next to the peers: the scenarios one after the other, a table, and a chart if one is wanted.

python -m tests.bench [--only NAME,...] [--rounds N] [--against NAME,...] [--chart FILE]
"""

import argparse
import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.bench.contenders import KINDS, OURS
from tests.bench.measuring import Results, measure
from tests.bench.scenarios import SCENARIOS
from tests.bench.scenarios.scenario import Scenario
from tests.bench.table import printed, table
from tests.models import smollm2_file


def main() -> None:
    """Parse the options, measure, report."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the servers end with the bench
    results = asyncio.run(_measured(options.only, options.against, options.rounds))
    print()
    print(printed([row for each in results for row in table(each)]))
    if options.chart is not None:
        from tests.bench.chart import draw

        draw(results, options.chart)
        print(f"\nThe chart is in {options.chart}.")


async def _measured(scenarios: Sequence[Scenario], peers: Sequence[str], rounds: int) -> list[Results]:
    results = []
    for scenario in scenarios:
        contenders = [name for name in scenario.contenders if name == OURS or name in peers]
        results.append(await measure(scenario, contenders, smollm2_file(), rounds))
        print(printed(list(table(results[-1]))), flush=True)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ", ".join(each.name for each in SCENARIOS)
    parser.add_argument("--only", type=_scenarios, default=SCENARIOS, help=f"some of: {names}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--against", type=_peers, default=_peers(",".join(KINDS)), help=f"some of: {', '.join(KINDS)}"
    )
    parser.add_argument("--chart", type=Path, help="a PNG to write")
    return parser


def _scenarios(text: str) -> list[Scenario]:
    known = {each.name: each for each in SCENARIOS}
    return [known[_known(name, list(known))] for name in text.split(",")]


def _peers(text: str) -> list[str]:
    return [_known(name, list(KINDS)) for name in text.split(",")]


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise argparse.ArgumentTypeError(f"there is no {name}; there are {', '.join(names)}")
    return name


if __name__ == "__main__":
    main()

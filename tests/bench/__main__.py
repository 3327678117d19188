"""Run the contenders in turn and print medians and ratios."""

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

from tests.bench.contenders import KINDS, Contender, running
from tests.bench.load import Round, play
from tests.models import smollm2_file

Figures = dict[tuple[str, int], list[Round]]


def main() -> None:
    """Parse the options, measure, report."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--streams", default="1,4,8", help="numbers of streams at once")
    parser.add_argument("--tokens", type=int, default=96, help="tokens of every answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=1, help="length of prompts; one is about 50 tokens")
    parser.add_argument(
        "--only", default=",".join(KINDS), help="contenders, the first is compared to the rest"
    )
    options = parser.parse_args()
    streams = [int(number) for number in options.streams.split(",")]
    with (
        tempfile.TemporaryDirectory() as folder,
        running(options.only.split(","), smollm2_file(), max(streams), Path(folder)) as contenders,
    ):
        figures = asyncio.run(measure(contenders, streams, options))
    report(figures, [contender.name for contender in contenders], streams)


async def measure(contenders: list[Contender], streams: list[int], options: argparse.Namespace) -> Figures:
    """Every contender at every number of streams, some rounds, each time in another order."""
    figures: Figures = {}
    for contender in contenders:
        await play(contender.url, 1, 8, turn=0)  # loads the model and warms up
    for turn in range(1, options.rounds + 1):
        for number in streams:
            shift = turn % len(contenders)
            for contender in contenders[shift:] + contenders[:shift]:
                played = await play(
                    contender.url, number, options.tokens, turn * 1000 + number, options.sentences
                )
                figures.setdefault((contender.name, number), []).append(played)
    return figures


def report(figures: Figures, names: list[str], streams: list[int]) -> None:
    """Print a line for each number of streams and contender."""
    print(f"{'streams':>7}  {'server':<18}{'tokens/s':>9}{'first token':>13}{'failed':>8}  {names[0]} is")
    for number in streams:
        ours = statistics.median(played.speed for played in figures[names[0], number])
        for name in names:
            rounds = figures[name, number]
            speed = statistics.median(played.speed for played in rounds)
            first = statistics.median(played.first_token for played in rounds)
            failed = sum(played.failed for played in rounds)
            ratio = "" if name == names[0] else f"{ours / speed:.2f} x" if speed else "(all failed)"
            print(f"{number:>7}  {name:<18}{speed:>9.1f}{first:>11.2f} s{failed:>8}  {ratio}")
    first, last = streams[0], streams[-1]
    gain = statistics.median(played.speed for played in figures[names[0], last]) / statistics.median(
        played.speed for played in figures[names[0], first]
    )
    print(f"{names[0]}: {last} streams together are {gain:.2f} x as fast as {first}")


if __name__ == "__main__":
    main()

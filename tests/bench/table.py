"""What was measured, as a table of text."""

import math
from collections.abc import Iterator, Sequence

from tests.bench.contenders import OURS
from tests.bench.measuring import Results
from tests.bench.scenarios.scenario import Aim

HEAD = ("workload", "figure", OURS, "peer", "", "ratio", "aim", "failed")


def table(results: Results) -> Iterator[tuple[str, ...]]:
    """The rows of one scenario, one for each aim."""
    for aim in results.scenario.aims:
        if aim.peer in results.rounds:
            yield _row(results, aim)
    for figure in results.scenario.also:
        for peer in results.rounds:
            if peer != OURS:
                yield _row(results, Aim(figure, "<=", math.inf, peer))


def printed(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows under a head, in columns."""
    lines = [HEAD, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _row(results: Results, aim: Aim) -> tuple[str, ...]:
    ratio = results.ratio(aim.peer, aim.figure)
    met = "" if math.isinf(aim.factor) else f"{aim}  {'met' if aim.is_met(ratio) else 'MISSED'}"
    return (
        results.scenario.title,
        aim.figure,
        _value(results.figure(OURS, aim.figure), aim.figure),
        _value(results.figure(aim.peer, aim.figure), aim.figure),
        aim.peer,
        f"{ratio:.2f} x",
        met,
        f"{results.failed(OURS)} / {results.failed(aim.peer)}",
    )


def _value(value: float, figure: str) -> str:
    if math.isnan(value):
        return "-"
    if figure.endswith("/s"):
        return f"{value:.1f}"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"

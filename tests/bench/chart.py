"""What was measured, as a picture: how many times as good as its peer jan-host is in each workload."""

import math
from collections.abc import Sequence
from pathlib import Path

from tests.bench.contenders import OURS
from tests.bench.measuring import Results
from tests.bench.scenarios.scenario import Aim

GOOD, BEHIND, QUIET = "#2f7d5b", "#b5523b", "#6b6b6b"
ROW_INCHES = 0.45
TICKS = (0.5, 1, 2, 5, 10, 20, 50)


def draw(results: Sequence[Results], file: Path) -> None:
    """Write a PNG: a bar for each aim, on a logarithmic scale, from the peer's level, which is 1."""
    from matplotlib.figure import Figure  # slow to import, and of the bench's dependencies alone

    bars = [
        (each, aim, aim.gain(each.ratio(aim.peer, aim.figure)))
        for each in results
        for aim in each.scenario.aims
        if aim.peer in each.rounds
    ]
    bars = [bar for bar in bars if math.isfinite(bar[2]) and bar[2] > 0]
    figure = Figure(figsize=(9, 1.2 + ROW_INCHES * len(bars)), layout="constrained")
    axes = figure.subplots()
    for place, (_, _, gain) in enumerate(bars):
        color = GOOD if gain >= 1 else BEHIND
        axes.barh(place, gain - 1, left=1, height=0.6, color=color)
        axes.annotate(
            _times(gain),
            (gain, place),
            xytext=(4 if gain >= 1 else -4, 0),
            textcoords="offset points",
            ha="left" if gain >= 1 else "right",
            va="center",
            color=color,
        )
    axes.set_xscale("log")
    gains = [gain for _, _, gain in bars]
    axes.set_xlim(min([0.8, *gains]) * 0.8, max([2.0, *gains]) * 1.5)
    axes.set_xticks([tick for tick in TICKS if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]])
    axes.xaxis.set_major_formatter("{x:g} x")
    axes.minorticks_off()
    axes.axvline(1, color=QUIET, linewidth=1)
    axes.set_yticks(range(len(bars)), [_label(each, aim) for each, aim, _ in bars])
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.suptitle(f"{OURS} next to its peers, with the same model, threads, slots and context")
    axes.set_xlabel("times as good as the peer (more tokens/s, or fewer seconds)")
    figure.savefig(file, dpi=160)


def _times(gain: float) -> str:
    digits = 2 if gain < 2 else 1 if gain < 10 else 0
    return f"{gain:.{digits}f} x"


def _label(results: Results, aim: Aim) -> str:
    return f"{results.scenario.title}\n{aim.figure}, next to {aim.peer}"

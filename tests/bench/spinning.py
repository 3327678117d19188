"""How threads of OpenMP wait in a worker of the llama.cpp engine: spinning for long, for a moment, or asleep.

    python -m tests.bench.spinning [--rounds N]

A process for each way, since OpenMP reads its environment once; they take turns, alone on the machine and
beside a process that keeps one core busy. Figures are the medians of tokens per second of one sequence. The
engine's choice stands in its engine.py, the host's in runtime/environment.py.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext

from tests.bench.busy import busy_core
from tests.bench.contenders import THREADS
from tests.models import smollm2_file

WAYS: dict[str, dict[str, str]] = {
    "OpenMP's default": {},
    "GOMP_SPINCOUNT=0": {"GOMP_SPINCOUNT": "0"},
    "GOMP_SPINCOUNT=100": {"GOMP_SPINCOUNT": "100"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
}
FAMILIES = ("GOMP_", "OMP_", "KMP_")
TOKENS = 40


class Process:
    """A model in a process of its own.

    Args:
        environment: Variables of OpenMP.
        threads: On how many threads it computes.
    """

    def __init__(self, environment: dict[str, str], threads: int) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FAMILIES)}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.spinning", "--threads", str(threads)],
            env={**own, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def rate(self) -> float:
        """Tokens per second, now."""
        assert self._child.stdin is not None  # they were asked for
        assert self._child.stdout is not None
        self._child.stdin.write("go\n")
        self._child.stdin.flush()
        return float(self._child.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._child.communicate()


def serve(threads: int) -> None:
    """The process's side: for each line that comes, the tokens per second of one sequence."""
    from llama_cpp import Llama

    model = Llama(str(smollm2_file()), n_ctx=512, n_threads=threads, verbose=False)
    for _ in sys.stdin:
        model.reset()  # type: ignore[no-untyped-call]  # llama-cpp-python says no types here
        began = time.perf_counter()
        for token in range(100, 100 + TOKENS):
            model.eval([token])
        print(TOKENS / (time.perf_counter() - began), flush=True)


@contextmanager
def processes() -> Iterator[dict[str, Process]]:
    """All ways on all cores, and one thread alone, which waits for nobody."""
    with ExitStack() as stack:
        started = {name: Process(variables, THREADS) for name, variables in WAYS.items()}
        started["one thread"] = Process({}, 1)
        for process in started.values():
            stack.callback(process.close)
        yield started


def measure(started: dict[str, Process], rounds: int) -> dict[str, float]:
    """The median of each way."""
    order = list(started)
    found: dict[str, list[float]] = {name: [] for name in order}
    for turn in range(rounds):
        for name in [*order[turn % len(order) :], *order[: turn % len(order)]]:
            found[name].append(started[name].rate())
    return {name: statistics.median(values) for name, values in found.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments; measure, or be one of those who are measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.threads is not None:
        serve(given.threads)
        return
    with processes() as started:
        measure(started, 1)  # warms up
        for title, other in (("alone", nullcontext()), ("one core busy", busy_core())):
            with other:
                found = measure(started, given.rounds)
            print(f"{title}: " + ", ".join(f"{name} {rate:.1f}" for name, rate in found.items()), flush=True)


if __name__ == "__main__":
    main()

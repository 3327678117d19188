"""How threads of ONNX Runtime wait: asleep, spinning, or spinning for a moment; alone and beside other work.

    python -m tests.bench.onnx_threads

One graph, one session for each way, in turn, each time in another order; medians in milliseconds. The
second half keeps one core busy, as another model of the machine would. The engine's choice stands in its
sessions.py. About four minutes on two quiet cores.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from jan_host.kit import usable_cores

from tests.models import minilm_int8_file
from tests.plugins.onnx.decoder.folders import decoder_folder

WAYS: dict[str, dict[str, str]] = {
    "asleep": {"session.intra_op.allow_spinning": "0"},
    "20 us": {"session.intra_op.spin_duration_us": "20"},
    "50 us": {"session.intra_op.spin_duration_us": "50"},
    "200 us": {"session.intra_op.spin_duration_us": "200"},
    "in a run": {"session.force_spinning_stop": "1"},
    "spinning": {},
}
PAST = 64
PAUSE_SECONDS = 0.05
"""Between two ways: those who spin after a run have ended then."""

Feeds = dict[str, Any]


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(prog="onnx_threads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    graphs: list[tuple[str, Path, Callable[[Any], Feeds], int]] = [
        ("decoder, a token", decoder_folder("plain") / "onnx/model.onnx", _token, 10),
        ("MiniLM, 1 x 16", minilm_int8_file(), lambda session: _texts(session, 16), 20),
        ("MiniLM, 1 x 64", minilm_int8_file(), lambda session: _texts(session, 64), 20),
    ]
    for busy in (False, True):
        print("beside other work" if busy else "alone")
        for name, path, feeds, steps in graphs:
            with _other_work(busy):
                found = measure(path, feeds, steps, rounds)
            print(f"  {name}: " + ", ".join(f"{way} {value:.1f}" for way, value in found.items()), flush=True)


def measure(path: Path, feeds_of: Callable[[Any], Feeds], steps: int, rounds: int) -> dict[str, float]:
    """The median milliseconds of a run, for each way."""
    sessions = {way: _session(path, entries) for way, entries in WAYS.items()}
    feeds = {way: feeds_of(session) for way, session in sessions.items()}
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    order = list(WAYS)
    for turn in range(rounds + 1):
        for way in order:
            time.sleep(PAUSE_SECONDS)
            started = time.perf_counter()
            for _ in range(steps):
                sessions[way].run(None, feeds[way])
            if turn:  # the first one warms up
                found[way].append((time.perf_counter() - started) / steps * 1e3)
        order = [*order[1:], order[0]]
    return {way: statistics.median(times) for way, times in found.items()}


def _session(path: Path, entries: dict[str, str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _token(session: Any) -> Feeds:
    """One token behind some others."""
    feeds = {
        "input_ids": np.array([[5]]),
        "attention_mask": np.ones((1, PAST + 1), np.int64),
        "position_ids": np.array([[PAST]]),
    }
    inputs = {node.name: node for node in session.get_inputs()}
    past = {
        name: np.zeros((1, node.shape[1], PAST, node.shape[3]), np.float32)
        for name, node in inputs.items()
        if name.startswith("past")
    }
    return {**{name: value for name, value in feeds.items() if name in inputs}, **past}


def _texts(session: Any, length: int) -> Feeds:
    values = {"input_ids": 7, "attention_mask": 1, "token_type_ids": 0}
    return {node.name: np.full((1, length), values[node.name], np.int64) for node in session.get_inputs()}


@contextmanager
def _other_work(busy: bool) -> Any:
    if not busy:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    main()

"""What a host in front of an upstream costs, beside litellm's proxy: `python -m tests.bench.remote`.

The upstream is a bare server of the bench's own, for rates that no local model reaches, and then a second
jan-host with the example engine in a worker. All contenders are processes of their own, asked in turn.

litellm asks for an older openai than the workspace has, so it needs an environment of its own:
``python -m venv X && X/bin/pip install 'litellm[proxy]'``, then ``--litellm X/bin/litellm``. Figures of
a busy machine are worth nothing: see that the load is below one.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from tests.bench.contenders import Contender, free_port, serving
from tests.bench.remote_load import Heard, play

PAUSE_MS = 10.0
"""Between tokens, where the added latency is measured."""
CROWD_PAUSE_MS = 2.0
"""Between the tokens of each of many streams: more than any proxy here can carry."""
REQUESTS = 20
"""In a round of latencies, for each contender."""
TOKENS = 12
"""Of each of these requests."""
WORDS = 5000
"""Of the text that the second host's model is made of: one word, so that it says nothing else."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many streams at once through one contender."""

    tokens_per_second: float
    cpu_seconds: float
    """Of the contender alone."""
    streams: int
    tokens: int


@contextmanager
def upstream(folder: Path) -> Iterator[Contender]:
    """The bare server."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("remote_upstream.py")), str(port)]
    with serving("direct", command, port, folder / "upstream.log") as contender:
        yield contender


def serve(name: str, root: Path, log: Path) -> AbstractContextManager[Contender]:
    """jan-host over a folder."""
    port = free_port()
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root), "--port", str(port)]
    return serving(name, command, port, log)


@contextmanager
def second_host(folder: Path) -> Iterator[Contender]:
    """jan-host with a model in a worker, which says ``token`` as often as it is asked to."""
    home = folder / "upstream" / "models" / "bench"
    home.mkdir(parents=True)
    (home / "bench.ngram.txt").write_text("token " * WORDS)
    with serve("direct", folder / "upstream", folder / "upstream.log") as contender:
        yield contender


@contextmanager
def host(folder: Path, url: str) -> Iterator[Contender]:
    """jan-host with one remote model."""
    home = folder / "root" / "models" / "bench"
    home.mkdir(parents=True)
    settings = {"base_url": f"{url}/v1", "api_key": "sk-bench"}
    document = {"id": "bench", "engine": "openai", "format": "api", "settings": settings}
    (home / "model.json").write_text(json.dumps(document))
    with serve("jan-host", folder / "root", folder / "host.log") as contender:
        yield contender


@contextmanager
def litellm(folder: Path, url: str, program: str) -> Iterator[Contender]:
    """litellm's proxy with one worker, which writes no log line for each request."""
    parameters = {"model": "openai/bench", "api_base": f"{url}/v1", "api_key": "sk-bench"}
    config: dict[str, object] = {"model_list": [{"model_name": "bench", "litellm_params": parameters}]}
    # jan-host asks for no key on loopback either.
    config["general_settings"] = {"dangerously_permit_weak_or_unset_master_key": True}
    (folder / "litellm.json").write_text(json.dumps(config))
    port = free_port()
    command = [program, "--config", str(folder / "litellm.json"), "--port", str(port), "--host", "127.0.0.1"]
    with serving("litellm", [*command, "--num_workers", "1"], port, folder / "litellm.log") as contender:
        yield contender


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


async def latencies(contenders: list[Contender], rounds: int) -> dict[str, list[Heard]]:
    """One stream at a time, the contenders in turn."""
    heard: dict[str, list[Heard]] = {contender.name: [] for contender in contenders}
    for turn in range(rounds):
        for contender in in_turn(contenders, turn):
            heard[contender.name] += await play(port_of(contender), 1, REQUESTS, TOKENS, PAUSE_MS)
    return heard


def in_turn(contenders: list[Contender], turn: int) -> list[Contender]:
    """The contenders, each round with another one first."""
    shift = turn % len(contenders)
    return contenders[shift:] + contenders[:shift]


async def crowd(contender: Contender, streams: int, requests: int, tokens: int) -> Crowd:
    """Many streams at once."""
    before, began = cpu_seconds(contender.pid), time.perf_counter()
    heard = await play(port_of(contender), streams, requests, tokens, CROWD_PAUSE_MS)
    seconds, used = time.perf_counter() - began, cpu_seconds(contender.pid) - before
    total = sum(each.tokens for each in heard)
    if total != streams * requests * tokens:
        print(f"{contender.name}: {total} tokens of {streams * requests * tokens} were seen")
    return Crowd(total / seconds, used, len(heard), total)


def port_of(contender: Contender) -> int:
    """The port of its URL."""
    return int(contender.url.rpartition(":")[2])


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def report_latencies(heard: dict[str, list[Heard]]) -> float:
    """A line for each contender, in milliseconds; what jan-host adds to the median first token."""
    print("one stream           first token p50    p95      between p50    p95   (ms; + over direct)")
    rows = {}
    for name, each in heard.items():
        firsts, between = [one.first for one in each], [gap for one in each for gap in one.between]
        values = [(firsts, 0.5), (firsts, 0.95), (between, 0.5), (between, 0.95)]
        rows[name] = [1000 * percentile(found, share) for found, share in values]
        cells = [f"{x:7.2f} (+{x - y:5.2f})" for x, y in zip(rows[name], rows["direct"], strict=True)]
        print(f"{name:12} {' '.join(cells)}")
    return rows["jan-host"][0] - rows["direct"][0]


def report_crowds(crowds: dict[str, list[Crowd]]) -> dict[str, float]:
    """A line for each contender: medians over the rounds; streams per CPU second."""
    print("\nmany streams     tokens/s   CPU us/token   streams/CPU second")
    rates = {}
    for name, each in crowds.items():
        speed = statistics.median(one.tokens_per_second for one in each)
        cost = statistics.median(one.cpu_seconds / one.tokens * 1e6 for one in each)
        rates[name] = statistics.median(one.streams / max(one.cpu_seconds, 1e-9) for one in each)
        print(f"{name:12} {speed:12.0f} {cost:14.1f} {rates[name]:20.1f}")
    return rates


async def measure(contenders: list[Contender], options: argparse.Namespace) -> None:
    """Warm up, then both measurements."""
    for contender in contenders:
        await play(port_of(contender), 4, 10, 20, 0)
    added = report_latencies(await latencies(contenders, options.rounds))
    crowds: dict[str, list[Crowd]] = {contender.name: [] for contender in contenders}
    for turn in range(options.rounds):
        for contender in in_turn(contenders, turn):
            crowds[contender.name].append(await crowd(contender, options.streams, 2, options.tokens))
    rates = report_crowds(crowds)
    print(f"\njan-host adds {added:.2f} ms to the first token (median); 1.5 are the goal")
    if "litellm" in rates:
        ratio = rates["jan-host"] / rates["litellm"]
        print(f"jan-host has {ratio:.1f} times litellm's streams per CPU second; 5 are the goal")


UPSTREAMS = {"bare": upstream, "jan-host": second_host}


def compare(kind: str, options: argparse.Namespace) -> None:
    """All contenders before one kind of upstream."""
    print(f"\n== upstream: {kind} ==")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        direct = stack.enter_context(UPSTREAMS[kind](folder))
        contenders = [direct, stack.enter_context(host(folder, direct.url))]
        if options.litellm:
            contenders.append(stack.enter_context(litellm(folder, direct.url, options.litellm)))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(measure(contenders, options))


def main() -> None:
    """Parse the options, measure, report."""
    parser = argparse.ArgumentParser(prog="bench.remote", description=__doc__)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--litellm", default=shutil.which("litellm"), help="the program, if not found")
    parser.add_argument("--upstream", choices=[*UPSTREAMS], action="append", help="both, if not named")
    options = parser.parse_args()
    for kind in options.upstream or UPSTREAMS:
        compare(kind, options)


if __name__ == "__main__":
    main()

"""One large file from a hub on loopback: the downloader against ``hf_hub_download`` and ``curl``.

    python -m tests.bench.downloads [--bytes 500000000] [--rounds 5]

Every contender runs in a process of its own, in turns. Ours verifies the SHA-256 and flushes the
file to the disk; ``hf_hub_download`` and ``curl`` do neither. ``curl + sha256sum`` verifies too, one
after the other, as a script would. The time is that of the transfer, without the start of an
interpreter; CPU seconds and the peak of memory are the process's own.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

CONTENDERS = ("jan-host", "hf_hub_download", "curl", "curl + sha256sum")


class Figures(msgspec.Struct):
    """What one transfer took."""

    seconds: float
    cpu: float
    peak: int
    """Bytes of memory at the most."""


class Origin(msgspec.Struct):
    """What ``python -m tests.hub`` tells of its file."""

    endpoint: str
    repo: str
    path: str
    url: str
    size: int
    sha256: str


def main() -> None:
    """Measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(prog="downloads", description=__doc__)
    parser.add_argument("--bytes", type=int, default=500_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures: dict[str, list[Figures]] = {name: [] for name in CONTENDERS}
    with hub(options.bytes) as origin:
        for turn in range(options.rounds):
            first = turn % len(CONTENDERS)
            for name in CONTENDERS[first:] + CONTENDERS[:first]:
                with tempfile.TemporaryDirectory() as folder:
                    figures[name].append(measure(name, origin, Path(folder)))
    report(figures, options.bytes)


@contextmanager
def hub(size: int) -> Iterator[Origin]:
    """The tests' hub in a process of its own."""
    command = [sys.executable, "-m", "tests.hub", str(size)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield msgspec.json.decode(process.stdout.readline(), type=Origin)
        process.stdin.close()


def measure(name: str, origin: Origin, folder: Path) -> Figures:
    """Run one contender in a process of its own."""
    if name.startswith("curl"):
        return measure_curl(origin, folder / "file", verify=name != "curl")
    code = f"from tests.bench.downloads import child; child({name!r}, {str(folder)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=msgspec.json.encode(origin),
        stdout=subprocess.PIPE,
        check=True,
        env={
            **os.environ,
            "HF_ENDPOINT": origin.endpoint,
            "HF_HOME": str(folder),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        },
    )
    return msgspec.json.decode(done.stdout, type=Figures)


def measure_curl(origin: Origin, file: Path, *, verify: bool) -> Figures:
    """Run curl, and the hash of what it brought; the starts take a few milliseconds and are counted."""
    commands = [["curl", "-s", "-f", "-L", "-o", str(file), origin.url]]
    if verify:
        sums = file.with_name("sums")
        sums.write_text(f"{origin.sha256}  {file}\n")
        commands.append(["sha256sum", "--status", "-c", str(sums)])
    began, cpu, peak = time.perf_counter(), 0.0, 0
    for command in commands:
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss * 1024)
    seconds = time.perf_counter() - began
    assert file.stat().st_size == origin.size
    return Figures(seconds, cpu, peak)


def child(name: str, folder: str) -> None:
    """In the contender's process: transfer, and print the figures."""
    origin = msgspec.json.decode(sys.stdin.buffer.read(), type=Origin)
    transfer = prepare_ours(origin, Path(folder)) if name == "jan-host" else prepare_hub_client(origin)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    transfer()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": after.ru_maxrss * 1024}))


def prepare_ours(origin: Origin, folder: Path) -> Any:
    """The downloader, ready to be called."""
    import httpx  # noqa: F401  # the interpreter's start is not what is measured
    from jan_host import Asset, ImportPlan, Model
    from jan_host.downloads import Downloads

    asset = Asset(filename=origin.path, url=origin.url, size=origin.size, sha256=origin.sha256)
    plan = ImportPlan(origin=origin.repo, importer="bench", model=Model(id="bench"), assets=[asset])

    async def finish(plan: ImportPlan) -> None:
        assert (folder / "model" / origin.path).stat().st_size == origin.size

    async def run() -> None:
        downloads = Downloads(folder=folder / "downloads", publish=lambda event: None)
        await downloads.wait(downloads.begin(plan, folder / "model", finish).id)
        await downloads.close()

    return lambda: asyncio.run(run())


def prepare_hub_client(origin: Origin) -> Any:
    """The hub's own client, ready to be called."""
    from huggingface_hub import hf_hub_download

    return lambda: hf_hub_download(origin.repo, origin.path)


def report(figures: dict[str, list[Figures]], size: int) -> None:
    """Print a line for each contender."""
    ours = statistics.median(each.seconds for each in figures[CONTENDERS[0]])
    for name, rounds in figures.items():
        seconds = statistics.median(each.seconds for each in rounds)
        cpu = statistics.median(each.cpu for each in rounds)
        best, worst = min(each.seconds for each in rounds), max(each.seconds for each in rounds)
        print(
            f"{name:16} {size / seconds / 1e6:6.0f} MB/s  {seconds:6.2f} s ({best:.2f} to {worst:.2f})"
            f"  CPU {cpu:5.2f} s"
            f"  peak {max(r.peak for r in rounds) / 1e6:4.0f} MB  ours is {seconds / ours:.2f} x as fast"
        )


if __name__ == "__main__":
    main()

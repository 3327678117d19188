"""kill -9 at any moment: what was noted as complete is not fetched again, and the result is right."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from jan_host import Asset, ImportPlan

from tests.core.downloads.conftest import plan_of
from tests.hub import Generated, Hub, Repo, running_hub

SIZES = {"a.bin": 16 << 20, "b.bin": 24 << 20, "deep/c.bin": 8 << 20}
BYTES_PER_SECOND = 16 << 20
"""Of each connection."""
KILLS = 10


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        yield running


@pytest.fixture
def repo(hub: Hub) -> Repo:
    contents = {name: Generated(size, seed) for seed, (name, size) in enumerate(SIZES.items())}
    made = hub.add("org/model", dict(contents))
    for name in SIZES:
        hub.fault(f"org/model/{name}").bytes_per_second = BYTES_PER_SECOND
    return made


def plan(hub: Hub) -> ImportPlan:
    return plan_of(
        *(
            Asset(
                filename=name,
                url=hub.resolve_url("org/model", name),
                size=size,
                sha256=Generated(size, seed).sha256,
            )
            for seed, (name, size) in enumerate(SIZES.items())
        )
    )


class Victim:
    """A downloading process."""

    def __init__(self, root: Path, plan: ImportPlan, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.core.downloads.victim", str(root), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(plan))
        self.process.stdin.close()
        self.process.stdin = None

    def run_until(self, hub: Hub, count: int) -> None:
        """Wait until the hub has sent so many bytes, or the process has ended."""
        with hub.changed:
            # Looked at every second, since a process that ends tells it to nobody.
            ended = (
                hub.changed.wait_for(lambda: sent(hub) >= count or self.process.poll() is not None, timeout=1)
                for _ in range(120)
            )
            assert any(ended)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)

    def said(self) -> bytes:
        return self.process.communicate(timeout=120)[0]


def sent(hub: Hub) -> int:
    return sum(hub.bytes_sent(f"org/model/{name}") for name in SIZES)


def noted(root: Path) -> dict[str, list[tuple[int, int]]]:
    """The spans of each file that are noted as complete; a file that is verified is complete."""
    names = list(SIZES)
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    for path in (root / "downloads").rglob("*.part.json"):
        note = msgspec.json.decode(path.read_bytes())
        found[names[int(path.name.split(".")[0])]] = [tuple(span) for span in note["spans"]]
    for index, name in enumerate(names):
        whole = [*(root / "downloads").rglob(f"{index}.whole"), *(root / "downloads").rglob(f"files/{name}")]
        if whole:
            found[name] = [(0, SIZES[name])]
    return found


def overlap(spans: list[tuple[int, int]], others: list[tuple[int, int]]) -> int:
    """Bytes that are in both."""
    return sum(max(0, min(b, d) - max(a, c)) for a, b in spans for c, d in others)


def test_ten_kills(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    random.seed(5)
    todo, total = plan(hub), sum(SIZES.values())
    before = noted(tmp_path)
    for _ in range(KILLS):
        asked = len(hub.seen)
        victim = Victim(tmp_path, todo)
        victim.run_until(hub, sent(hub) + random.randrange(1, total // 8))
        victim.kill()
        check(hub, asked, before)
        before = noted(tmp_path)
    asked = len(hub.seen)
    assert Victim(tmp_path, todo).said() == b"done\n"
    check(hub, asked, before)

    for seed, (name, size) in enumerate(SIZES.items()):
        expected = b"".join(bytes(chunk) for chunk in Generated(size, seed).read(0, size))
        assert (tmp_path / "models" / "tiny" / name).read_bytes() == expected
    assert sum(overlap([(0, 1 << 60)], spans) for spans in before.values()) > 0  # something was noted
    assert list((tmp_path / "downloads").iterdir()) == []


def check(hub: Hub, asked: int, before: dict[str, list[tuple[int, int]]]) -> None:
    """Since the request number `asked`, nothing was sent that was noted before."""
    for name, spans in before.items():
        again = [
            (one.start, one.start + one.sent)
            for one in hub.seen[asked:]
            if one.file == f"org/model/{name}" and one.sent
        ]
        assert overlap(spans, again) == 0, (name, spans, again)


def test_killed_when_the_files_are_in_place(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    for name in SIZES:
        hub.fault(f"org/model/{name}").bytes_per_second = None
    todo = plan(hub)
    assert Victim(tmp_path, todo, "--die-in-finish").said() == b""
    assert (tmp_path / "models" / "tiny" / "a.bin").is_file()
    asked = len(hub.seen)
    assert Victim(tmp_path, todo).said() == b"done\n"
    assert len(hub.seen) == asked

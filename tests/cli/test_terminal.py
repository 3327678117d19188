"""Pulls in a terminal: bars that move, Ctrl-C, and going on afterwards, alone and through a server."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.cli.conftest import Run, environment
from tests.cli.terminal import Terminal, terminal
from tests.hub import Bytes, Hub, running_hub

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")

LARGE, SMALL = "a/b/large.ngram.txt", "a/b/small.ngram.txt"
BODY = os.urandom(6_000_000)
HALF = 3_000_000


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A repository of two files; the large one stalls in its middle."""
    with running_hub() as made:
        made.add("a/b", {"large.ngram.txt": Bytes(BODY), "small.ngram.txt": Bytes(b"The sea is deep.")})
        made.fault(LARGE).stall_at = HALF
        yield made


def sit(root: Path, *arguments: str) -> AbstractContextManager[Terminal]:
    """Before a terminal with this command."""
    variables = {name: value for name, value in environment().items() if name != "COLUMNS"}
    variables |= {"JAN_HOST_ROOT": str(root), "TERM": "xterm-256color"}
    if not (root / "server.json").exists():
        variables["JAN_HOST_SERVER_PORT"] = "1"
    return terminal(*arguments, variables=variables)


def pull(root: Path, hub: Hub) -> AbstractContextManager[Terminal]:
    return sit(root, "pull", hub.resolve_url("a/b", "large.ngram.txt"), "--importer", "https", "--id", "sea")


def test_bars_move_and_an_interrupted_pull_goes_on(root: Path, run: Run, hub: Hub) -> None:
    with pull(root, hub) as seen:
        seen.until(r"sea ━+[╸╺]?━* [\d.]+ MB of 6\.0 MB")
        assert hub.fault(LARGE).stalled.wait(30)
        seen.until(r"━ 3\.0 MB of 6\.0 MB")
        seen.type("\x03")
        seen.until("The same command goes on from here")
        assert seen.end() == 130
    assert "Traceback" not in seen.text
    listed = run("downloads").out
    assert re.search(r"sea +failed +3\.0 MB +6\.0 MB", listed), listed
    fault = hub.fault(LARGE)
    fault.stall_at = None
    fault.gate.set()
    with sit(root, "downloads", "resume", "sea") as seen:
        seen.until("6.0 MB of 6.0 MB done")
        seen.until("sea is here")
        assert seen.end() == 0
    assert (root / "models" / "sea" / "large.ngram.txt").read_bytes() == BODY
    [*_, (start, _)] = hub.ranges(LARGE)
    assert start == HALF, "what had come was not fetched again"


def test_ctrl_c_leaves_the_server_to_it(root: Path, server: str, run: Run, hub: Hub) -> None:
    with pull(root, hub) as seen:
        seen.until(r"━ 3\.0 MB of 6\.0 MB")
        seen.type("\x03")
        found = seen.until(r"goes on fetching.*downloads cancel\s+(dl-\w+)")
        assert seen.end() == 130
    assert "running" in run("downloads", JAN_HOST_URL=server).out
    hub.fault(LARGE).gate.set()
    resumed = run("downloads", "resume", found[1], JAN_HOST_URL=server)
    assert "sea is here" in resumed.out or "complete" in resumed.err
    assert (root / "models" / "sea" / "large.ngram.txt").read_bytes() == BODY

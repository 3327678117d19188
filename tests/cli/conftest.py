"""The command line as a user has it: a process of its own, over a root of the test's."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.conftest import plugin_path  # noqa: F401  # a fixture, for the tests here too
from tests.core.host.conftest import write_model
from tests.examples.servers import serving

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one model of the example engine, ``poem``."""
    write_model(tmp_path, "poem")
    return tmp_path


def environment() -> dict[str, str]:
    """The test's environment without what would configure a host."""
    return {name: value for name, value in os.environ.items() if not name.startswith("JAN_HOST_")} | {
        "COLUMNS": "200"
    }


@pytest.fixture
def run(root: Path) -> Run:
    """Run ``jan-host ARGUMENTS`` over the root and return how it ended."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "jan_host.cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment() | {"JAN_HOST_ROOT": str(root), "JAN_HOST_SERVER_PORT": "1"} | variables,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def server(root: Path) -> Iterator[str]:
    """A running ``jan-host serve`` over the root, on a free port; its address."""
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with serving(command, environment(), root) as address:
        yield address

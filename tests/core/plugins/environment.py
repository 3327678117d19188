"""A temporary environment of plugins, and a process that loads what is installed there."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("probe.py")


def run_probe(
    *folders: Path,
    disabled: Sequence[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    data_folder: str = "data",
) -> dict[str, Any]:
    """Load every plugin of `folders` (as on sys.path, in this order) and return what the probe saw."""
    done = spawn(
        [str(PROBE)], folders, {"disabled": disabled, "settings": settings or {}, "data_folder": data_folder}
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    answer["stderr"] = done.stderr
    return answer


def spawn(
    arguments: Sequence[str], folders: Sequence[Path], request: Mapping[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Run Python with `folders` in front of its path and the request on its stdin."""
    return subprocess.run(
        [sys.executable, *arguments],
        input=json.dumps(request),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

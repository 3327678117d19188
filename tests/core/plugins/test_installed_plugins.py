"""The same with distributions that pip installs into a temporary environment."""

import subprocess
import sys
from pathlib import Path

from tests.core.plugins.cases import CASES
from tests.core.plugins.distributions import engine_source, plugin
from tests.core.plugins.environment import run_probe

INSTALLED = {"raises-at-import", "unknown-hook", "wrong-parameter", "raising-hook", "returns-text"}


def test_plugins_that_pip_installed_are_found_and_contained(tmp_path: Path) -> None:
    distributions = [case.distribution for case in CASES if case.name in INSTALLED]
    distributions += [
        plugin("beta", engine_source("same"), distribution="acme-beta"),
        plugin("alpha", engine_source("same"), distribution="acme-alpha"),
        plugin("alpha", engine_source("other"), distribution="acme-second-alpha"),
    ]
    wheels = [str(each.wheel(tmp_path)) for each in distributions]
    site = tmp_path / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            str(site),
            *wheels,
        ],
        check=True,
    )
    seen = run_probe(site)
    status = {key: report["status"] for key, report in seen["reports"].items()}
    assert status == {
        **{f"{name}:{name}": "broken" for name in INSTALLED},
        "acme-alpha:alpha": "ok",
        "acme-beta:beta": "broken",
        "acme-second-alpha:alpha": "broken",
    }
    assert seen["used"] == {"same": [97, 98]}

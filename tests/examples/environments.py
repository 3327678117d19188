"""An environment of its own, into which distributions are really built and installed."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has the dependencies of the one that runs the tests, and not its jan-host.

    The dependencies are linked, since fetching them anew would need a package index; jan-host
    and the examples are built and installed as a user's would be.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def variables(self, **more: str) -> dict[str, str]:
        """The environment variables under which its commands run."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAN_HOST_")}
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        # pip reads its options from here; a "no-" option is switched on by a false value.
        pip = {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "false", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return {**inherited, **pip, "PATH": path, **more}

    def shell(self, script: str, variables: Mapping[str, str], cwd: Path = REPOSITORY) -> str:
        """What a shell script prints; an exit code other than 0 fails the test with all that was said."""
        done = subprocess.run(
            ["sh", "-euc", script],
            cwd=cwd,
            env=dict(variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def create(folder: Path) -> Environment:
    """Make an environment with the core in it."""
    venv.create(folder, with_pip=False, symlinks=True)
    environment = Environment(folder)
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "jan_host" not in entry.name and entry.suffix != ".pth":
            (dependencies / entry.name).symlink_to(entry)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    environment.shell("python -m pip install --quiet ./core ./plugins/tokenization", environment.variables())
    return environment

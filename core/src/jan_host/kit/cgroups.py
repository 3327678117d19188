"""Control groups of Linux, versions 1 and 2: what this process and those around it may use together.

A limit holds in the process's own group and in each group around it. Sources: "Control Group v2" and
"Memory Resource Controller" of the kernel's documentation.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
"""The file that names this process's groups."""


class Memory(NamedTuple):
    """The memory of one group, in bytes."""

    limit: int
    used: int
    """What could not be given back at once: without the files' pages that nobody has used of late."""


def memory_groups(cgroups: Path = CGROUPS, own: Path = OWN) -> Iterator[Memory]:
    """The groups around this process that have a limit."""
    for folder, is_first in _folders("memory", cgroups, own):
        limit, usage, idle = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if is_first
            else ("memory.max", "memory.current", "inactive_file")
        )
        most = _number(folder / limit)
        if most:
            used = _number(folder / usage) or 0
            yield Memory(most, max(0, used - _entry(folder / "memory.stat", idle)))


def core_quota(cgroups: Path = CGROUPS, own: Path = OWN) -> float:
    """So many cores' time the groups around this process give; infinite where they limit nothing."""
    quotas = [math.inf]
    for folder, is_first in _folders("cpu", cgroups, own):
        if is_first:
            quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        else:
            words = [*_text(folder / "cpu.max").split(), "", ""]
            quota, period = _whole(words[0]), _whole(words[1])
        if quota and period:
            quotas.append(quota / period)
    return min(quotas)


def _folders(controller: str, cgroups: Path, own: Path) -> Iterator[tuple[Path, bool]]:
    """The folders of this process's groups, inner ones first, and whether they are of version 1."""
    for line in _text(own).splitlines():
        _, controllers, name = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        root = cgroups / controller if controllers else cgroups
        folder = root / name.lstrip("/")
        for each in (folder, *folder.parents):
            yield each, bool(controllers)
            if each == root:
                break


def _entry(path: Path, name: str) -> int:
    """A number out of lines such as ``inactive_file 4096``."""
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _whole(value) or 0
    return 0


def _number(path: Path) -> int | None:
    return _whole(_text(path))


def _whole(text: str) -> int | None:
    """``None`` for "max", for -1, and where there is no file."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""

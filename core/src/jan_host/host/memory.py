"""How much memory this process may use at most."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

DRIVER_SECONDS = 10.0
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def total_memory(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """The machine's memory in bytes, or less where a container is limited; 0 where nobody tells.

    Args:
        cgroups: Where Linux shows its control groups, of version 2 or 1.
        own: The file that names this process's groups.
    """
    machine = _machine_memory()
    limits = [limit for limit in _limits(cgroups, own) if limit > 0]
    return min([machine, *limits]) if machine else min(limits, default=0)


def device_memory() -> int:
    """The memory of all NVIDIA devices in bytes, as their driver tells; 0 where there is none."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=DRIVER_SECONDS, check=True)
        return sum(int(line) for line in told.stdout.split()) * 1024 * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def _machine_memory() -> int:
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _windows_memory() -> int:
    """``ullTotalPhys`` of MEMORYSTATUSEX: two 32-bit fields, then seven of 64 bits, the first of them."""
    import ctypes

    status = (ctypes.c_uint64 * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  # mypy knows the name on Windows alone
    return int(status[1]) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else 0


def _limits(cgroups: Path, own: Path) -> Iterator[int]:
    """The limits of this process's control group and of those around it."""
    for line in _text(own).splitlines():
        _, controllers, name = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        root, file = (cgroups / "memory", "memory.limit_in_bytes") if controllers else (cgroups, "memory.max")
        folder = root / name.lstrip("/")
        for each in (folder, *folder.parents):
            limit = _text(each / file).strip()
            if limit.isdecimal():  # else "max", or no such file
                yield int(limit)
            if each == root:
                break


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""

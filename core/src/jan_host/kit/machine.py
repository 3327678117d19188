"""What this machine has for us: cores and memory, as far as this process may use them."""

import math
import os
import subprocess
import sys
from pathlib import Path

from jan_host.kit.cgroups import CGROUPS, OWN, core_quota, memory_groups

DRIVER_SECONDS = 10.0
_CPUS = Path("/sys/devices/system/cpu")
_MEMINFO = Path("/proc/meminfo")


def usable_cores() -> int:
    """Physical cores that this process may use, by its affinity and its container's quota."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # not on macOS and Windows
        return max(1, os.cpu_count() or 1)
    cores = {_siblings(cpu) for cpu in allowed}
    return max(1, math.ceil(min(len(cores), core_quota())))


def total_memory(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """The machine's memory in bytes, or less where a container is limited; 0 where nobody tells.

    Args:
        cgroups: Where Linux shows its control groups.
        own: The file that names this process's groups.
    """
    limits = [group.limit for group in memory_groups(cgroups, own)]
    machine, _ = _machine_memory()
    return min([machine, *limits]) if machine else min(limits, default=0)


def free_memory(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """Bytes of memory that can be had without swapping; 0 where the platform does not tell.

    Args: as those of `total_memory`.
    """
    _, available = _machine_memory()
    return min([available, *(max(0, limit - used) for limit, used in memory_groups(cgroups, own))])


def device_memory() -> int:
    """The memory of all NVIDIA devices in bytes, as their driver tells; 0 where there is none."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=DRIVER_SECONDS, check=True)
        return sum(int(line) for line in told.stdout.split()) * 1024 * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def _siblings(cpu: int) -> str:
    """What the hardware threads of one core have in common."""
    try:
        return (_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _machine_memory() -> tuple[int, int]:
    """All of the machine's memory and what of it is available, in bytes; 0 where nobody tells."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0, 0
    try:
        lines = _MEMINFO.read_text().splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
        return total, kilobytes * 1024
    except (OSError, StopIteration, ValueError):
        return total, total // 2  # half of what there is, since others run too


def _windows_memory() -> tuple[int, int]:
    """``ullTotalPhys`` and ``ullAvailPhys`` of MEMORYSTATUSEX, behind two fields of 32 bits."""
    import ctypes

    status = (ctypes.c_uint64 * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  # mypy knows the name on Windows alone
    known = kernel.GlobalMemoryStatusEx(ctypes.byref(status))
    return (int(status[1]), int(status[2])) if known else (0, 0)

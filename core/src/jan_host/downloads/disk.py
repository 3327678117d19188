"""Room on the disk, asked for before it is needed."""

import shutil
from pathlib import Path

from jan_host.contract.errors import InsufficientDiskError


def ensure_space(folder: Path, needed: int) -> None:
    """Check that `needed` bytes fit on the disk that `folder` (which may not exist yet) is on.

    Raises:
        InsufficientDiskError: They do not; the message has both numbers.
    """
    free = shutil.disk_usage(existing(folder)).free
    if needed > free:
        raise InsufficientDiskError(
            f"{human(needed)} are needed and {human(free)} are free on the disk of {folder}."
            f" Free {human(needed - free)} or more, then resume; or move jan-host's root to another disk."
        )


def used(file: Path) -> int:
    """Bytes that a file takes up; less than its length when it has gaps."""
    stat = file.stat()
    return min(stat.st_size, getattr(stat, "st_blocks", stat.st_size) * 512)  # Windows counts no blocks


def existing(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    return next(candidate for candidate in (folder, *folder.absolute().parents) if candidate.exists())


def same_disk(one: Path, other: Path) -> bool:
    """Whether a rename can lead from one folder to the other."""
    return existing(one).stat().st_dev == existing(other).stat().st_dev


def human(count: int) -> str:
    """A number of bytes for a sentence: ``"93.1 MB"``."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"

"""Room on the disk, asked for before it is needed."""

import shutil
from pathlib import Path

from jan_host.contract.errors import InsufficientDiskError
from jan_host.contract.quantities import bytes_in_words


def ensure_space(folder: Path, needed: int) -> None:
    """Check that `needed` bytes fit on the disk that `folder` (which may not exist yet) is on.

    Raises:
        InsufficientDiskError: They do not; the message has both numbers.
    """
    free = shutil.disk_usage(existing(folder)).free
    if needed > free:
        raise InsufficientDiskError(
            f"{bytes_in_words(needed)} are needed and {bytes_in_words(free)} are free on the disk of"
            f" {folder}. Free {bytes_in_words(needed - free)} or more, then resume; or move jan-host's root"
            " to another disk."
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

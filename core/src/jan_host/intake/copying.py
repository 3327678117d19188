"""Copies that share their blocks with the original, where the file system can."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

STEP_BYTES = 64 << 20
_FICLONE = 0x40049409
"""The request number of Linux's `ioctl_ficlone(2)`."""
_CANNOT = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EPERM, errno.EBADF}
)
"""What a file system answers that can't copy by itself."""

Report = Callable[[int], None]
"""Told the bytes of each step; what it raises ends the copy."""


def copy_file(source: Path, target: Path, report: Report) -> None:
    """Copy a file's content and times into a new file, on the disk when this returns.

    Raises:
        OSError: It can't be read or written, or the target exists.
    """
    with source.open("rb") as original, target.open("xb") as copy:
        found = os.fstat(original.fileno())
        if _clone(original, copy):
            report(found.st_size)
        else:
            _copy(original, copy, report)
        copy.flush()
        os.fsync(copy.fileno())
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _clone(original: IO[bytes], copy: IO[bytes]) -> bool:
    """Let both files have the same blocks, until one is written to."""
    if sys.platform != "linux":
        return False
    import fcntl  # there is none for Windows

    try:
        fcntl.ioctl(copy, _FICLONE, original.fileno())
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _copy(original: IO[bytes], copy: IO[bytes], report: Report) -> None:
    if sys.platform == "linux":
        try:
            while count := os.copy_file_range(original.fileno(), copy.fileno(), STEP_BYTES):
                report(count)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
        # What the kernel did not copy is read: some file systems claim to be at the end at once.
        done = os.lseek(copy.fileno(), 0, os.SEEK_CUR)
        original.seek(done)
        copy.seek(done)
    while chunk := original.read(STEP_BYTES // 16):
        copy.write(chunk)
        report(len(chunk))

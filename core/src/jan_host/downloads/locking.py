"""A lock that a process holds on an open file, and that goes with the process, however it ends."""

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def lock(file: IO[bytes]) -> None:
        """Take the lock.

        Raises:
            OSError: Another process has it.
        """
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def is_locked(file: IO[bytes]) -> bool:
        """Whether another process has the lock."""
        try:
            lock(file)
        except OSError:
            return True
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        return False

else:
    import fcntl

    def lock(file: IO[bytes]) -> None:
        """Take the lock.

        Raises:
            OSError: Another process has it.
        """
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_locked(file: IO[bytes]) -> bool:
        """Whether another process has the lock; who asks the same at this moment does not count."""
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False

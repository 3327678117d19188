"""What was written goes on to the disk while more comes, so that little is left to do at the end."""

import os
import sys
from pathlib import Path
from queue import SimpleQueue

STRETCH_BYTES = 16 << 20


class Writeback:
    """Has the system write stretches of a file to the disk early. It promises nothing: a flush does.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stretches: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._stopped = False

    def wrote(self, start: int, end: int, count: int) -> None:
        """The last `count` bytes of what lies from `start` to `end` were written just now."""
        if end % STRETCH_BYTES < count:
            self._stretches.put((max(start, end - STRETCH_BYTES), end))

    def work(self) -> None:
        """Send on what comes, until `stop` is called. Blocks: call it in a thread."""
        with open(self._path, "rb") as file:
            while (stretch := self._stretches.get()) and not self._stopped:
                _begin(file.fileno(), *stretch)

    def stop(self) -> None:
        """Let `work` end; the stretch at hand is the last."""
        self._stopped = True
        self._stretches.put(None)


def _begin(descriptor: int, start: int, end: int) -> None:
    """Have a stretch written without waiting for it, where the platform can.

    The advice that it is not needed any more starts that. What is not on the disk yet, such as this,
    stays in memory all the same (see mm/fadvise.c in Linux), and so is not read again by the hash.
    """
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)

"""A limit on bytes per second that all connections share."""

import threading
import time


class Throttle:
    """Hands out a bandwidth in turns, first come, first served.

    Args:
        bytes_per_second: 0: no limit.
    """

    def __init__(self, bytes_per_second: int = 0) -> None:
        self._rate = bytes_per_second
        self._free_at = 0.0
        self._lock = threading.Lock()

    def block(self, most: int) -> int:
        """How many bytes to read at once: under a limit so few that it takes a tenth of a second."""
        return most if not self._rate else max(1, min(most, self._rate // 10))

    def wait(self, count: int) -> float:
        """Seconds to pause after `count` bytes were read."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + count / self._rate
            return self._free_at - now

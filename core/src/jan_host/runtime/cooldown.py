"""When a model that failed may be started again without being asked to."""

import time
from collections import deque
from collections.abc import Callable

from jan_host.config import RuntimeConfig

CRASH_LOOP = 3
"""So many crashes within `CRASH_WINDOW_SECONDS` count as a failed start."""
CRASH_WINDOW_SECONDS = 60.0


class Cooldown:
    """Pauses after failed starts, each twice as long as the one before. A crash alone makes no pause."""

    def __init__(self, config: RuntimeConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._crashes: deque[float] = deque()
        self.last_crash: str | None = None
        """What a running model died of, until it has left in peace or somebody asked for a start."""

    def remaining(self) -> float:
        """Seconds until the next start may be tried; 0 when it may be tried now."""
        return max(0.0, self._until - self._clock())

    def start_failed(self) -> None:
        """A start failed."""
        pause = self._config.cooldown_seconds * 2.0 ** min(self._failures, 32)
        self._until = self._clock() + min(pause, self._config.cooldown_max_seconds)
        self._failures += 1

    def started(self) -> None:
        """A start succeeded."""
        if not self._recent_crashes():
            self._failures = 0

    def crashed(self, reason: str) -> None:
        """A running model crashed."""
        self.last_crash = reason
        self._crashes.append(self._clock())
        if self._recent_crashes() >= CRASH_LOOP:
            self.start_failed()

    def clear(self) -> None:
        """Somebody asked for a start: forget all failures."""
        self._failures = 0
        self._until = 0.0
        self._crashes.clear()
        self.last_crash = None

    def _recent_crashes(self) -> int:
        oldest = self._clock() - CRASH_WINDOW_SECONDS
        while self._crashes and self._crashes[0] < oldest:
            self._crashes.popleft()
        return len(self._crashes)

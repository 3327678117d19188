"""How often and how soon a broken transfer is tried again, and which failures may pass."""

import email.utils
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

MOST_ASKED_SECONDS = 600.0
"""The longest pause that a server may ask for; nobody waits an hour before he is told."""
PROGRESS_BYTES = 1 << 20


class TransientError(Exception):
    """The transfer failed in a way that may pass. The text is a part of a sentence.

    Args:
        retry_after: Seconds after which the server wants to be asked again.
        refused: Whether the server has enough of us, so that fewer connections may help.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, refused: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.refused = refused


class ChangedError(Exception):
    """The server has another version of the file now, so what lies here is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how soon a broken transfer is tried again.

    Tries count only while nothing new comes: each new MiB gives all of them back.
    """

    tries: int = 6
    first_seconds: float = 0.5
    most_seconds: float = 20.0

    def pause(self, failures: int, asked: float | None) -> float:
        """Seconds to wait: doubled each time, with jitter, and at least as long as the server asked."""
        backoff = math.ldexp(self.first_seconds, failures - 1) * random.uniform(0.5, 1.5)
        return max(min(backoff, self.most_seconds), min(asked or 0.0, MOST_ASKED_SECONDS))


class Failures:
    """Counts how often in a row a transfer failed without anything new.

    Args:
        retries: How often it may.
        received: Bytes that are here.
    """

    def __init__(self, retries: Retries, received: int) -> None:
        self._retries = retries
        self._furthest = received
        self.count = 0

    def add(self, received: int) -> bool:
        """One more, with so many bytes here now; ``False`` when it was the last."""
        self.count += 1
        if received >= self._furthest + PROGRESS_BYTES:
            self._furthest, self.count = received, 1
        return self.count < self._retries.tries


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: it holds a number or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None

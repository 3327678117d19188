"""What steps made known, handed to the event loop: at once, or a moment later together."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

from jan_host.contract.errors import JanHostError
from jan_host.contract.generation import Delta
from jan_host.kit.generation.jobs import Job

Event = tuple[Job[Any], Delta | JanHostError]
"""What a step made known, and to whom."""

TOGETHER_SECONDS: Final = 0.025
"""Within which tokens are told together: nobody sees a difference between 40 pictures a second and more."""


class Delivery:
    """Takes events of the compute thread to the event loop; used by the compute thread.

    To wake the loop, and behind it the host and the client, costs them about a millisecond of a core for each
    token, which is taken from those that compute. So tokens of a quick model wait for those of the next step
    where both come within a moment. What is the first of an answer or its end never waits.

    Args:
        loop: Where the jobs' mailboxes are read.
        together: Seconds within which events are told together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, together: float) -> None:
        self._loop = loop
        self._together = together
        self._held: list[Event] = []
        self._handed_over = 0.0
        self._last_step = 0.0

    def step(self, events: list[Event], *, may_wait: bool) -> None:
        """A step has ended.

        Args:
            events: What it made known, in order.
            may_wait: Whether the next step follows now, and will be about as long.
        """
        now = time.monotonic()
        next_step = now + (now - self._last_step)
        self._last_step = now
        self._held += events
        is_late = next_step - self._handed_over > self._together
        if is_late or not may_wait or any(is_last(item) for _, item in events):
            self.hand_over()

    def hand_over(self) -> None:
        """Hand over all that was held."""
        if not self._held:
            return
        self._handed_over = time.monotonic()
        events, self._held = self._held, []
        # The loop may be gone when the process ends: then nobody waits for these.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_post, events)


def is_last(item: Delta | JanHostError) -> bool:
    """Whether nothing follows for its choice: its end, or an error."""
    return isinstance(item, JanHostError) or item.finish_reason is not None


def _post(events: list[Event]) -> None:
    for job, item in events:
        job.mailbox.put_nowait(item)

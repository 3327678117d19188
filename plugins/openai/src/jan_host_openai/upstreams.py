"""Several upstreams of one model: who is asked next, and who rests."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from jan_host import Delta, JanHostError

from jan_host_openai.remote import Remote

REST_SECONDS = 1.0
"""How long an upstream rests after its first failure; each further one doubles it."""
MOST_REST_SECONDS = 60.0
MOST_BUSY_SECONDS = 600.0
"""The longest rest that an upstream may ask for by ``Retry-After``."""

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Member:
    remote: Remote
    busy: int = 0
    """Requests that it works on."""
    failures: int = 0
    """In a row."""
    rests_until: float = 0.0
    asked: int = 0
    """When it was asked last, as a count of questions."""

    @contextmanager
    def working(self) -> Iterator[None]:
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1


class Upstreams:
    """Asks the upstream with the fewest requests, in turn where several have as few.

    One that fails rests, longer each time, and the request goes to another, until the first delta is out.

    Args:
        remotes: At least one.
        clock: Seconds that only grow.
    """

    def __init__(self, remotes: Sequence[Remote], clock: Callable[[], float] = time.monotonic) -> None:
        self._members = [_Member(remote) for remote in remotes]
        self._clock = clock
        self._questions = 0

    async def call(self, ask: Callable[[Remote], Awaitable[T]]) -> T:
        """One answer.

        Raises:
            JanHostError: What the last upstream that was asked says.
        """
        tried: list[_Member] = []
        while True:
            member = self._next(tried)
            try:
                with member.working():
                    answer = await ask(member.remote)
            except JanHostError as error:
                self._note(member, error)
                if not self._goes_on(error, tried):
                    raise
            else:
                member.failures = 0
                return answer

    async def stream(
        self, ask: Callable[[Remote], AsyncGenerator[Delta, None]]
    ) -> AsyncGenerator[Delta, None]:
        """One generation; errors as in `call`."""
        tried: list[_Member] = []
        begun = False
        while True:
            member = self._next(tried)
            try:
                with member.working():
                    async with aclosing(ask(member.remote)) as deltas:
                        async for delta in deltas:
                            begun = True
                            yield delta
            except JanHostError as error:
                self._note(member, error)
                if begun or not self._goes_on(error, tried):
                    raise
            else:
                member.failures = 0
                return

    async def close(self) -> None:
        """Close all connections."""
        for member in self._members:
            await member.remote.close()

    def _next(self, tried: list[_Member]) -> _Member:
        """The member to ask, which counts as tried from now on."""
        now = self._clock()
        left = [member for member in self._members if member not in tried]
        awake = [member for member in left if member.rests_until <= now]
        # When all rest, somebody must be asked all the same: the one whose rest ends first.
        chosen = (
            min(awake, key=lambda each: (each.busy, each.asked))
            if awake
            else min(left, key=lambda each: each.rests_until)
        )
        self._questions += 1
        chosen.asked = self._questions
        tried.append(chosen)
        return chosen

    def _goes_on(self, error: JanHostError, tried: list[_Member]) -> bool:
        return _is_failure(error) and len(tried) < len(self._members)

    def _note(self, member: _Member, error: JanHostError) -> None:
        """Let a member rest that failed; a request that it rightly refused is none of its failures."""
        if not _is_failure(error):
            return
        rest = min(REST_SECONDS * 2 ** min(member.failures, 30), MOST_REST_SECONDS)
        asked_for = min(error.retry_after or 0.0, MOST_BUSY_SECONDS)
        member.failures += 1
        member.rests_until = self._clock() + max(rest, asked_for)


def _is_failure(error: JanHostError) -> bool:
    """Whether another upstream may do better: this one is broken, too busy, or does not take our key."""
    return error.http_status >= 500 or error.http_status in (401, 403, 408, 429)

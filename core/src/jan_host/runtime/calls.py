"""A request that a worker works on, as the host's side waits for it."""

import asyncio
from collections import deque

import msgspec

from jan_host.contract.errors import EngineError, JanHostError
from jan_host.contract.generation import Delta
from jan_host.runtime.faults import same_error

MAX_BUFFERED = 16_384
"""Deltas that wait for a consumer; some minutes of a fast model."""


class Call:
    """What has arrived for one request and was not consumed yet. One consumer at a time."""

    __slots__ = ("_deltas", "_error", "_loop", "_result", "_waiter", "over")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._deltas: deque[Delta] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._result: msgspec.Raw | None = None
        self._error: JanHostError | None = None
        self.over = False
        """Nothing more will come from the worker."""

    def push(self, delta: Delta) -> bool:
        """Take a delta; false when the consumer is so far behind that the request is given up."""
        if len(self._deltas) >= MAX_BUFFERED:
            self.fail(
                EngineError(
                    f"The answer was not read: {MAX_BUFFERED} pieces of it wait. Read the stream faster."
                )
            )
            return False
        self._deltas.append(delta)
        self._wake()
        return True

    def finish(self, result: msgspec.Raw) -> None:
        """The request is done."""
        self.over = True
        self._result = result
        self._wake()

    def fail(self, error: JanHostError) -> None:
        """The request ends with `error`, behind the deltas that have arrived."""
        if not self.over:
            self.over = True
            self._error = same_error(error)
            self._wake()

    async def next(self) -> Delta | None:
        """The next delta, or ``None`` at the end.

        Raises:
            JanHostError: The request failed.
        """
        while not self._deltas:
            if self.over:
                if self._error is not None:
                    raise self._error
                return None
            await self._wait()
        return self._deltas.popleft()

    async def result(self) -> msgspec.Raw:
        """The encoded result; errors as in `next`."""
        while self._result is None:
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._result

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

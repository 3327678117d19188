"""How the suites run asynchronous code: a loop of their own, so that authors need no plugin of pytest."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


class Run:
    """Runs coroutines on one event loop, each under a deadline.

    Args:
        runner: The loop.
        timeout_seconds: The deadline of each call.
    """

    def __init__(self, runner: asyncio.Runner, timeout_seconds: float) -> None:
        self._runner = runner
        self._timeout_seconds = timeout_seconds

    def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; the test fails when it takes too long."""
        return self._runner.run(self._limited(work))

    async def _limited(self, work: Coroutine[Any, Any, T]) -> T:
        deadline = asyncio.timeout(self._timeout_seconds)
        try:
            async with deadline:
                return await work
        except TimeoutError:
            if not deadline.expired():
                raise
            pytest.fail(f"This did not come to an end within {self._timeout_seconds} seconds.")

"""Blocking work beside the event loop, that ends when its task is cancelled."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def in_thread(executor: Executor, work: Callable[[], ResultT], stop: Callable[[], None]) -> ResultT:
    """Run `work` in a thread and wait for it; it has ended when this returns, cancelled or not.

    Args:
        executor: Whose thread.
        work: Blocks.
        stop: Makes `work` end soon; called when the waiting task is cancelled.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # what it died of does not matter to anyone now
        raise

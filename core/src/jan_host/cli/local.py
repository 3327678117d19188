"""Commands without a server: a host of this process, for as long as one thing takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jan_host.cli.session import Session
from jan_host.host import JanHost

ResultT = TypeVar("ResultT")


def locally(session: Session, work: Callable[[JanHost], Awaitable[ResultT]]) -> ResultT:
    """Do something with a host of this process, without a server."""

    async def run() -> ResultT:
        async with JanHost(session.config()) as host:
            return await work(host)

    return asyncio.run(run())

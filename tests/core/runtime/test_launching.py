"""How a worker process comes to be, and what is left when nobody wants it any more."""

import asyncio
import contextlib
import gc
import os

import pytest
from jan_host.runtime.launcher import Ending
from jan_host.runtime.subprocesses import SubprocessLauncher


class Nobody:
    """Waits for the worker's end alone."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def received(self, data: bytes) -> None:
        pass

    def ended(self, ending: Ending) -> None:
        self.gone.set()


async def give_up(turns: int) -> None:
    """Begin to launch a worker, and think better of it after some turns of the event loop."""
    receiver = Nobody()
    launch = asyncio.create_task(SubprocessLauncher().launch("one", dict(os.environ), receiver))
    for _ in range(turns):
        await asyncio.sleep(0)
    launch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        (await launch).kill()
    if turns:
        await asyncio.wait_for(receiver.gone.wait(), 10)


@pytest.mark.parametrize("loop_factory", ["uvloop", "asyncio"])
def test_a_launch_that_is_given_up_closes_each_pipe_once(loop_factory: str) -> None:
    """A pipe closed twice closes what has taken its number meanwhile: a client's socket, a worker's pipe."""
    new_loop = pytest.importorskip(loop_factory).new_event_loop

    async def main() -> None:
        for turns in range(6):
            await give_up(turns)
            others = [os.open(os.devnull, os.O_RDONLY) for _ in range(12)]
            gc.collect()
            for other in others:
                os.close(other)  # raises when somebody else has closed it

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())

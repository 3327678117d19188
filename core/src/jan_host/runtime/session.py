"""The host's end of one worker, from its launch to its end: the load, the heartbeat, a crash, the stop."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from jan_host.contract.engine import Progress as ProgressCallback
from jan_host.contract.errors import (
    JanHostError,
    ModelLoadError,
    ProtocolError,
    UnavailableError,
    WorkerCrashedError,
    from_payload,
)
from jan_host.runtime.cores import Claim, Cores
from jan_host.runtime.exchange import Exchange
from jan_host.runtime.frames import (
    WORKER_FRAMES,
    Deltas,
    Done,
    Failed,
    FrameSplitter,
    HostFrame,
    Load,
    Ping,
    Progress,
    Ready,
    Stats,
    Unload,
    UseCores,
    WorkerFrame,
    encode,
)
from jan_host.runtime.launcher import Ending, Worker
from jan_host.runtime.proxy import ProxyModel, proxy_model

_UNLOAD_SECONDS = 10.0
_TERMINATE_SECONDS = 2.0
_KILL_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Session:
    """A worker and the model in it. It is the `Receiver` of the worker's bytes, and an `Instance`.

    Args:
        model_id: For messages.
        progress: Told how far the load is.
        died: Called with the reason when the worker ends without being asked to, once it was ready.
        cores: Who says on how many cores it computes.
    """

    def __init__(
        self, model_id: str, progress: ProgressCallback, died: Callable[[str], None], cores: Cores
    ) -> None:
        self._model_id = model_id
        self._progress = progress
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._splitter = FrameSplitter()
        self._exchange = Exchange(self._send, self._drain, self._works)
        self._cores = cores
        self._claim: Claim | None = None
        self._worker: Worker | None = None
        self._ready: asyncio.Future[list[str]] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._over = False
        self._heard = True
        self._memory: int | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self._model = proxy_model((), self._exchange)
        self._capabilities: list[str] = []

    @property
    def model(self) -> ProxyModel:
        """See `Instance.model`."""
        return self._model

    @property
    def capabilities(self) -> list[str]:
        """See `Instance.capabilities`."""
        return self._capabilities

    @property
    def pid(self) -> int | None:
        """See `Instance.pid`."""
        return None if self._worker is None else self._worker.pid

    @property
    def memory(self) -> int | None:
        """See `Instance.memory`."""
        return self._memory

    async def open(self, worker: Worker, load: Load) -> None:
        """Load the model in the worker, and wait until it is ready.

        Raises:
            JanHostError: The load failed.
        """
        self._worker = worker
        self._send(load)
        self._capabilities = await self._ready
        if self._over:
            raise ModelLoadError(f"The worker of {self._model_id} ended as soon as it was ready.")
        self._model = proxy_model(self._capabilities, self._exchange)
        self._claim = self._cores.claim(lambda count: self._send(UseCores(count)))

    def watch(self, ping_seconds: float, hang_seconds: float) -> None:
        """Begin to look whether the worker's event loop turns."""
        self._heartbeat = self._loop.create_task(self._watch(ping_seconds, hang_seconds))

    async def close(self) -> None:
        """See `Instance.close`: gently, then not."""
        self._end(
            UnavailableError(f"{self._model_id} was stopped before the request was done. Send it again.")
        )
        self._send(Unload())
        worker = self._worker
        if worker is None:
            return
        for seconds, insist in ((_UNLOAD_SECONDS, worker.terminate), (_TERMINATE_SECONDS, worker.kill)):
            if await self._ends_within(seconds):
                return
            logger.warning(
                "%s: its worker (pid %s) did not end within %g s", self._model_id, worker.pid, seconds
            )
            insist()
        await self._ends_within(_KILL_SECONDS)

    async def abandon(self) -> None:
        """End the worker at once, whatever it does."""
        self._end(UnavailableError(f"The start of {self._model_id} was given up."))
        if self._worker is not None:
            self._worker.kill()
            await self._ends_within(_KILL_SECONDS)

    def received(self, data: bytes) -> None:
        """See `Receiver.received`."""
        self._heard = True
        try:
            for payload in self._splitter.feed(data):
                self._carry_out(WORKER_FRAMES.decode(payload))
        except (ProtocolError, msgspec.MsgspecError) as error:
            self._give_up(f"The worker sent what can't be read and was ended: {error}")

    def ended(self, ending: Ending) -> None:
        """See `Receiver.ended`."""
        self._gone.set()
        self._crash(ending.describe(), ending.lines)

    def _send(self, frame: HostFrame) -> None:
        if self._worker is not None:
            self._worker.write(encode(frame))

    def _works(self, works: bool) -> None:
        if self._claim is not None:
            (self._claim.work if works else self._claim.rest)()

    async def _drain(self) -> None:
        if self._worker is not None:
            await self._worker.drain()

    def _carry_out(self, frame: WorkerFrame) -> None:
        match frame:
            case Deltas():
                self._exchange.deliver(frame)
            case Done():
                self._exchange.finish(frame.id, frame.result)
            case Failed(id=0):
                self._complain(from_payload(frame.error))
            case Failed():
                self._exchange.fail(frame.id, frame.error)
            case Stats():
                self._memory = frame.memory or None
            case Progress():
                self._progress(frame.progress)
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(frame.capabilities)

    def _complain(self, error: JanHostError) -> None:
        if self._ready.done():
            logger.error("%s: its worker complains: %s", self._model_id, error)
        else:
            self._ready.set_exception(error)

    async def _watch(self, ping_seconds: float, hang_seconds: float) -> None:
        # Silence is counted in the host's own turns, not read from a clock: a host that was suspended
        # must not take its workers for hung when it wakes up.
        silent = 0.0
        while silent < hang_seconds:
            self._heard = False
            self._send(Ping())
            await asyncio.sleep(ping_seconds)
            silent = 0.0 if self._heard else silent + ping_seconds
        self._give_up(f"The worker hung: it gave no sign of life for {hang_seconds:g} s and was ended")

    def _give_up(self, reason: str) -> None:
        """End a worker that is still there. Its requests do not wait until it is gone."""
        if self._worker is not None:
            self._worker.kill()
            self._crash(reason, self._worker.last_lines())

    def _crash(self, reason: str, lines: list[str]) -> None:
        if self._over:
            return
        logger.error("%s: %s", self._model_id, reason)
        for line in lines:
            logger.info("%s: %s", self._model_id, line)
        if self._ready.done():
            self._died(reason)
        else:
            self._ready.set_exception(ModelLoadError(f"{self._model_id} could not be loaded. {reason}"))
        self._end(WorkerCrashedError(f"{reason}. Send the request again: it starts the model anew."))

    def _end(self, error: JanHostError) -> None:
        """From now on nothing works any more; every request ends with `error`."""
        self._over = True
        self._exchange.close(error)
        if self._claim is not None:
            self._claim.close()
            self._claim = None
        if self._heartbeat is not None:
            self._heartbeat.cancel()

    async def _ends_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            return False
        return True

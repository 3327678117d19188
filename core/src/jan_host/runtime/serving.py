"""The worker's side of the protocol: frames in, work on the model, frames out."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from jan_host.contract.engine import LoadedModel, SharesCores
from jan_host.contract.errors import (
    EngineError,
    JanHostError,
    ModelLoadError,
    ProtocolError,
    UnsupportedError,
)
from jan_host.plugins import load_engine
from jan_host.runtime.faults import describe_error
from jan_host.runtime.frames import (
    ENCODER,
    HOST_FRAMES,
    Cancel,
    Done,
    Failed,
    HostFrame,
    Load,
    Ping,
    Pong,
    Progress,
    Ready,
    Request,
    Stats,
    Unload,
    UseCores,
)
from jan_host.runtime.loading import load_model
from jan_host.runtime.local import LocalCaller
from jan_host.runtime.memory import resident_bytes
from jan_host.runtime.methods import METHODS, Method
from jan_host.runtime.outbox import Outbox

_PROGRESS_STEP = 0.01
_UNLOAD_FAILED = 3

logger = logging.getLogger(__name__)


class Server:
    """Serves one model over one connection.

    Args:
        loop: The event loop on which everything here runs.
        outbox: Where frames for the host go.
        end: Called with the exit code when the model is unloaded, or could not be.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: Outbox, end: Callable[[int], None]) -> None:
        self._loop = loop
        self._outbox = outbox
        self._end = end
        self._model: LoadedModel | None = None
        self._caller: LocalCaller | None = None
        self._life: asyncio.Task[None] | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._progress = -1.0

    def receive(self, payload: bytes) -> None:
        """Carry out one frame. A frame that can't be read is answered with an error, and costs nothing."""
        try:
            frame = HOST_FRAMES.decode(payload)
        except msgspec.MsgspecError as error:
            self._fail(0, ProtocolError(f"The worker could not read a frame: {error}"))
        else:
            self._carry_out(frame)

    def refuse(self, error: JanHostError) -> None:
        """Tell the host what is wrong with the connection itself."""
        self._fail(0, error)
        self._outbox.flush()

    def _carry_out(self, frame: HostFrame) -> None:
        match frame:
            case Request():
                self._begin(frame)
            case Cancel():
                task = self._tasks.get(frame.id)
                if task is not None:
                    task.cancel()
            case UseCores():
                self._use_cores(frame.count)
            case Ping():
                self._outbox.send(Stats(len(self._tasks), resident_bytes()))
                self._outbox.send(Pong())
            case Load():
                self._load(frame)
            case Unload():
                self._life = self._loop.create_task(self._unload(self._life))

    def _load(self, frame: Load) -> None:
        if self._life is not None:
            self._fail(0, ProtocolError("The worker was told to load a model twice; it holds one at most."))
            return
        self._life = self._loop.create_task(self._load_model(frame))

    async def _load_model(self, frame: Load) -> None:
        try:
            engine = load_engine(frame.origin, frame.engine)
            folder = Path(frame.folder)
            self._model = await load_model(engine, frame.model, folder, frame.settings, self._tell_progress)
            self._caller = LocalCaller(self._model)
            await asyncio.sleep(0)  # progress that was told before, from whatever thread, goes first
        except JanHostError as error:
            self._fail(0, error)
        except BaseException as error:
            self._fail(0, ModelLoadError(f"{frame.model.id} could not be loaded: {describe_error(error)}"))
        else:
            self._outbox.send(Ready(self._caller.capabilities))

    def _tell_progress(self, value: float) -> None:
        self._loop.call_soon_threadsafe(self._send_progress, value)

    def _send_progress(self, value: float) -> None:
        value = min(max(float(value), 0.0), 1.0)
        if value >= self._progress + _PROGRESS_STEP or value == 1.0 != self._progress:
            self._progress = value
            self._outbox.send(Progress(value))

    async def _unload(self, loading: asyncio.Task[None] | None) -> None:
        tasks = [*self._tasks.values(), *([loading] if loading is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._outbox.flush()
        try:
            if self._model is not None:
                await self._model.unload()
        except BaseException as error:
            logger.error("The model could not be unloaded: %s", describe_error(error))
            self._end(_UNLOAD_FAILED)
        else:
            self._end(0)

    def _begin(self, frame: Request) -> None:
        method = METHODS.get(frame.method)
        if self._caller is None or method is None or frame.id in self._tasks or frame.id <= 0:
            self._fail(frame.id, self._objection(frame, method))
            return
        try:
            body = method.body.decode(frame.body)
        except msgspec.MsgspecError as error:
            self._fail(frame.id, ProtocolError(f"The body of {frame.method} can't be read: {error}"))
            return
        task = self._loop.create_task(self._work(self._caller, frame.id, frame.method, method, body))
        self._tasks[frame.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(frame.id, None))

    def _objection(self, frame: Request, method: Method | None) -> JanHostError:
        if self._caller is None:
            return ProtocolError("The worker has no model yet.")
        if method is None:
            return UnsupportedError(f"There is no method {frame.method!r}. There are: {', '.join(METHODS)}.")
        return ProtocolError(f"The request id {frame.id} can't be used: it must be above 0 and new.")

    async def _work(self, caller: LocalCaller, request: int, name: str, method: Method, body: Any) -> None:
        """Every request is answered by exactly one `Done` or `Failed`, a cancelled one too."""
        try:
            if method.result is not None:
                result = ENCODER.encode(await caller.call(name, body))
                self._outbox.send(Done(request, msgspec.Raw(result)))
            else:
                await self._generate(caller, request, name, body)
                self._outbox.send(Done(request))
        except asyncio.CancelledError:
            self._outbox.send(Done(request))
        except JanHostError as error:
            self._fail(request, error)
        except Exception as error:
            self._fail(request, EngineError(f"The engine's answer can't be sent: {describe_error(error)}"))

    async def _generate(self, caller: LocalCaller, request: int, name: str, body: Any) -> None:
        stream = caller.stream(name, body)
        try:
            async for delta in stream:
                if self._is_cancelled():
                    break  # the engine caught the cancellation and went on
                self._outbox.delta(request, delta)
                await self._outbox.room()
        finally:
            await stream.aclose()

    @staticmethod
    def _is_cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def _use_cores(self, count: int | None) -> None:
        if not isinstance(self._model, SharesCores):
            return
        try:
            self._model.use_cores(count)
        except Exception as error:
            logger.error("The engine could not change its number of cores: %s", describe_error(error))

    def _fail(self, request: int, error: JanHostError) -> None:
        self._outbox.send(Failed(request, error.to_payload()))

"""The life of one model in memory: started once for all who want it, drained, stopped, and started anew."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from jan_host.config import RuntimeConfig
from jan_host.contract.engine import LoadedModel
from jan_host.contract.errors import (
    JanHostError,
    ModelCoolingDownError,
    ModelLoadError,
    TooManyRequestsError,
    UnavailableError,
)
from jan_host.contract.events import Event, ModelEvent, ModelProgressEvent
from jan_host.contract.model import ModelStatus
from jan_host.runtime.cooldown import Cooldown
from jan_host.runtime.faults import describe_error, same_error
from jan_host.runtime.launch import Instance, Launch, Place, RuntimeStatus

_RETRY_SECONDS = 1.0


class Supervisor:
    """Owns at most one instance of one model.

    Args:
        model_id: The model's id.
        config: Limits and pauses.
        publish: Told of each change.
        place: Where a launch's model is to live.
    """

    def __init__(
        self,
        model_id: str,
        config: RuntimeConfig,
        publish: Callable[[Event], None],
        place: Callable[[Launch], Place],
    ) -> None:
        self._model_id = model_id
        self._config = config
        self._publish = publish
        self._place = place
        self._cooldown = Cooldown(config)
        self._status: ModelStatus | None = None
        self._reason: str | None = None
        self._last_crash: str | None = None
        self._instance: Instance | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._closed = False
        self._active = 0
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory, or on its way in or out."""
        return any(part is not None for part in (self._instance, self._starting, self._stopping))

    def status(self) -> RuntimeStatus:
        """How the model stands."""
        instance = self._instance
        return RuntimeStatus(
            status=self._status,
            reason=self._reason,
            capabilities=[] if instance is None else instance.capabilities,
            requests=self._active,
            pid=None if instance is None else instance.pid,
            memory=None if instance is None else instance.memory,
        )

    async def start(self, launch: Launch, *, explicit: bool = False) -> LoadedModel:
        """The running model, started if it is not; one start serves all who wait.

        Args:
            launch: How to start it; a model that runs already is returned as it runs.
            explicit: Somebody asked for it: try now, whatever failed before.

        Raises:
            ModelCoolingDownError: It failed a moment ago.
            JanHostError: The start failed, or the model was stopped meanwhile.
        """
        if explicit and not self.loaded:
            self._cooldown.clear()
            self._last_crash = None
        while True:
            if self._closed:
                raise UnavailableError("The host is shutting down. Try again when it is back.")
            if self._stopping is not None:
                await asyncio.shield(self._stopping)
            elif self._instance is not None:
                return self._instance.model
            else:
                await self._join_start(launch)

    @asynccontextmanager
    async def lease(self, launch: Launch) -> AsyncIterator[LoadedModel]:
        """The running model for one request, which a stop waits for.

        Raises:
            TooManyRequestsError: `RuntimeConfig.max_waiting` requests are there already.
            JanHostError: As `start`.
        """
        if self._active + self._waiting >= self._config.max_waiting:
            raise TooManyRequestsError(
                f"{self._config.max_waiting} requests wait for {self._model_id} already. Try again later.",
                retry_after=_RETRY_SECONDS,
            )
        self._waiting += 1
        try:
            model = await self.start(launch)
        finally:
            self._waiting -= 1
        self._active += 1
        self._idle.clear()
        try:
            yield model
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def stop(self, drain_seconds: float) -> None:
        """Let the running requests end, then free the model. A start that is under way is given up.

        A failure of the past is forgotten.
        """
        if self._stopping is None:
            if not self.loaded:
                self._forget_failure()
                return
            self._stopping = asyncio.create_task(self._stop(drain_seconds))
        await asyncio.shield(self._stopping)

    async def close(self, drain_seconds: float) -> None:
        """Stop, and never start again."""
        self._closed = True
        await self.stop(drain_seconds)

    def _forget_failure(self) -> None:
        self._cooldown.clear()
        self._last_crash = None
        if self._status is not None:
            self._set(None, None)

    async def _join_start(self, launch: Launch) -> None:
        if self._starting is None:
            self._check_cooldown()
            self._starting = asyncio.create_task(self._start(launch))
            # When all who wait have gone, nobody else looks at the outcome.
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        starting = self._starting
        try:
            await asyncio.shield(starting)
        except JanHostError as error:
            raise same_error(error) from None
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if not starting.cancelled() or (caller is not None and caller.cancelling()):
                raise  # the caller was cancelled; the start goes on for the others
            raise UnavailableError(f"{self._model_id} was stopped while it was starting.") from None

    def _check_cooldown(self) -> None:
        seconds = self._cooldown.remaining()
        if seconds > 0:
            raise ModelCoolingDownError(
                f"{self._model_id} failed a moment ago and is tried again in {math.ceil(seconds)} s;"
                f" start it by hand to try now. What happened: {self._reason}",
                retry_after=seconds,
            )

    async def _start(self, launch: Launch) -> None:
        past = None if self._last_crash is None else f"restarted after: {self._last_crash}"
        self._set(ModelStatus.STARTING, past)
        try:
            instance = await self._place(launch).start(launch, self._progress, self._died)
        except JanHostError as error:
            self._start_failed(error)
            raise
        except Exception as error:
            # Nothing of this kind is known; if there is one, the model must not hang between two states.
            failure = ModelLoadError(f"{self._model_id} could not be started: {describe_error(error)}")
            self._start_failed(failure)
            raise failure from error
        finally:
            self._starting = None
        self._instance = instance
        self._cooldown.started()
        self._set(ModelStatus.RUNNING, past)

    def _start_failed(self, error: JanHostError) -> None:
        self._cooldown.start_failed()
        self._set(ModelStatus.FAILED, error.message)

    async def _stop(self, drain_seconds: float) -> None:
        self._set(ModelStatus.STOPPING, None)
        try:
            if self._starting is not None:
                self._starting.cancel()
                await asyncio.wait([self._starting])
                self._starting = None  # a task that is cancelled before its first step can't do this itself
            if self._instance is not None:
                await self._drain(drain_seconds)
            if self._instance is not None:
                await self._instance.close()
        finally:
            self._instance = None
            self._stopping = None
            self._last_crash = None
            self._set(None, None)

    async def _drain(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return

    def _died(self, reason: str) -> None:
        self._instance = None
        self._last_crash = reason
        self._cooldown.crashed()
        if self._stopping is None:
            self._set(ModelStatus.FAILED, reason)

    def _progress(self, value: float) -> None:
        self._publish(ModelProgressEvent(model=self._model_id, progress=value))

    def _set(self, status: ModelStatus | None, reason: str | None) -> None:
        """Change the status; ``None``: the model is on disk, and nothing else."""
        self._status, self._reason = status, reason
        shown = ModelStatus.DOWNLOADED if status is None else status
        self._publish(ModelEvent(model=self._model_id, status=shown, reason=reason))

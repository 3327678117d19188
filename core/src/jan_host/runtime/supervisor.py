"""The life of one model in memory: started once for all who want it, drained, stopped, and started anew."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from jan_host.config import RuntimeConfig
from jan_host.contract.engine import Footprint, LoadedModel
from jan_host.contract.errors import (
    InsufficientMemoryError,
    JanHostError,
    ModelCoolingDownError,
    ModelLoadError,
    TooManyRequestsError,
    UnavailableError,
)
from jan_host.contract.events import Event, ModelEvent, ModelProgressEvent
from jan_host.contract.model import ModelStatus
from jan_host.runtime.admission import Admission
from jan_host.runtime.cooldown import Cooldown
from jan_host.runtime.faults import describe_error, same_error
from jan_host.runtime.footprints import footprint_of
from jan_host.runtime.launch import Instance, Launch, Place, RuntimeStatus
from jan_host.runtime.usage import Usage

_RETRY_SECONDS = 1.0


class Supervisor:
    """Owns at most one instance of one model; a `Resident` for the admission of others.

    Args:
        model_id: The model's id.
        config: Limits and pauses.
        publish: Told of each change.
        place: Where a launch's model is to live.
        admission: Makes room for it in memory.
    """

    def __init__(
        self,
        model_id: str,
        config: RuntimeConfig,
        publish: Callable[[Event], None],
        place: Callable[[Launch], Place],
        admission: Admission,
    ) -> None:
        self.model_id = model_id
        self._config = config
        self._publish = publish
        self._place = place
        self._admission = admission
        self._cooldown = Cooldown(config)
        self._status: ModelStatus | None = None
        self._reason: str | None = None
        self._last_crash: str | None = None
        self._launch: Launch | None = None
        self._promised: Footprint | None = None
        self._instance: Instance | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._closed = False
        self._usage = Usage(self._unused)
        self._starters = 0
        self._served = asyncio.Event()
        self._served.set()
        self._by_hand = False
        self._keep_alive: float | None = None

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory, or on its way in or out."""
        return any(part is not None for part in (self._instance, self._starting, self._stopping))

    @property
    def footprint(self) -> Footprint | None:
        """What it was promised, or holds already where that is more."""
        promised, instance = self._promised, self._instance
        if promised is None or instance is None or instance.memory is None:
            return promised
        return Footprint(ram=max(promised.ram, instance.memory), device=promised.device)

    @property
    def is_busy(self) -> bool:
        """Whether a request uses it or waits for it."""
        return self._usage.is_busy

    @property
    def used_at(self) -> float:
        """When a request last used it, by the loop's clock."""
        return self._usage.used_at

    @property
    def is_pinned(self) -> bool:
        """Whether its own ``keep_alive`` says that it stays for ever."""
        return self._keep_alive is not None and self._keep_alive < 0

    async def settled(self) -> bool:
        """Wait until it is on its way neither in nor out; whether there was anything to wait for."""
        under_way = self._stopping or self._starting
        if under_way is None:
            return False
        await asyncio.wait([under_way])
        return True

    async def make_room(self) -> None:
        """Leave memory when the running requests have ended; those that come meanwhile start it again."""
        if self._starting is None:
            await self._served.wait()  # who waited for the start, which is over, takes the model first
        if self._stopping is None and self.loaded:
            self._begin_stop("its memory is needed for another model")
        await self.settled()

    def status(self) -> RuntimeStatus:
        """How the model stands."""
        instance = self._instance
        launch = self._launch if self.loaded else None
        return RuntimeStatus(
            status=self._status,
            reason=self._reason,
            capabilities=[] if instance is None else instance.capabilities,
            requests=self._usage.active,
            pid=None if instance is None else instance.pid,
            memory=None if instance is None else instance.memory,
            settings=None if launch is None else launch.settings,
            overrides={} if launch is None else launch.overrides,
        )

    async def start(self, launch: Launch, *, explicit: bool = False) -> LoadedModel:
        """The running model, started if it is not; one start serves all who wait.

        Args:
            launch: How to start it.
            explicit: Somebody asked for it: try now, whatever failed before; and where the model runs
                with other settings, start it anew.

        Raises:
            ModelCoolingDownError: It failed a moment ago.
            JanHostError: The start failed, or the model was stopped meanwhile.
        """
        if explicit and not self.loaded:
            self._cooldown.clear()
            self._last_crash = None
        self._by_hand |= explicit
        self._keep_alive = launch.keep_alive
        while True:
            if self._closed:
                raise UnavailableError("The host is shutting down. Try again when it is back.")
            if self._stopping is not None:
                await asyncio.shield(self._stopping)
            elif self._instance is not None:
                if not explicit or self._launch is None or self._launch.settings == launch.settings:
                    if explicit:
                        self._launch = launch
                        self._usage.rest(self._rest_seconds())
                    return self._instance.model
                await self.stop(self._config.stop_seconds)
            else:
                await self._join_start(launch)

    @asynccontextmanager
    async def lease(self, launch: Launch) -> AsyncIterator[LoadedModel]:
        """The running model for one request, which a stop waits for.

        Raises:
            TooManyRequestsError: `RuntimeConfig.max_waiting` requests are there already.
            JanHostError: As `start`.
        """
        usage = self._usage
        if usage.active + usage.waiting >= self._config.max_waiting:
            raise TooManyRequestsError(
                f"{self._config.max_waiting} requests wait for {self.model_id} already. Try again later.",
                retry_after=_RETRY_SECONDS,
            )
        with usage.queued():
            model = await self.start(launch)
        usage.begin()
        try:
            yield model
        finally:
            usage.end(self._rest_seconds())

    async def stop(self, drain_seconds: float) -> None:
        """Let the running requests end, then free the model. A start that is under way is given up.

        A failure of the past is forgotten.
        """
        if self._stopping is None:
            if not self.loaded:
                self._forget_failure()
                return
            self._begin_stop(None)
        # A drain without an end, for a model that makes room, gets one by this.
        self._usage.limit_drain(drain_seconds)
        if self._stopping is not None:
            await asyncio.shield(self._stopping)

    def _begin_stop(self, reason: str | None) -> None:
        self._usage.forget_rest()
        self._stopping = asyncio.create_task(self._stop(reason))

    def _rest_seconds(self) -> float:
        """How long the model may be idle; below zero: for ever."""
        if self._keep_alive is not None:
            return self._keep_alive
        return -1 if self._by_hand else self._config.keep_alive_seconds

    def _unused(self) -> None:
        if self._stopping is None and self._instance is not None and not self.is_busy:
            self._begin_stop("nobody used it")

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
        self._starters += 1
        self._served.clear()
        try:
            await asyncio.shield(starting)
        except JanHostError as error:
            raise same_error(error) from None
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if not starting.cancelled() or (caller is not None and caller.cancelling()):
                if self._starters == 1 and self._promised is None:
                    starting.cancel()  # nobody waits any more, and no memory was taken yet
                raise  # the caller was cancelled; the start goes on for the others
            raise UnavailableError(f"{self.model_id} was stopped while it was starting.") from None
        finally:
            self._starters -= 1
            if not self._starters:
                self._served.set()

    def _check_cooldown(self) -> None:
        seconds = self._cooldown.remaining()
        if seconds > 0:
            raise ModelCoolingDownError(
                f"{self.model_id} failed a moment ago and is tried again in {math.ceil(seconds)} s;"
                f" start it by hand to try now. What happened: {self._reason}",
                retry_after=seconds,
            )

    async def _start(self, launch: Launch) -> None:
        past = None if self._last_crash is None else f"restarted after: {self._last_crash}"
        self._launch = launch
        self._set(ModelStatus.STARTING, past)
        try:
            await self._admission.admit(self, lambda: footprint_of(launch), self._promise)
            instance = await self._place(launch).start(launch, self._progress, self._died)
        except JanHostError as error:
            self._start_failed(error)
            raise
        except asyncio.CancelledError:
            self._promised = None
            if self._stopping is None:
                self._set(None, None)
            raise
        except Exception as error:
            # Nothing of this kind is known; if there is one, the model must not hang between two states.
            failure = ModelLoadError(f"{self.model_id} could not be started: {describe_error(error)}")
            self._start_failed(failure)
            raise failure from error
        finally:
            self._starting = None
        self._instance = instance
        self._cooldown.started()
        self._usage.rest(self._rest_seconds())
        self._set(ModelStatus.RUNNING, past)

    def _promise(self, footprint: Footprint) -> None:
        self._promised = footprint

    def _start_failed(self, error: JanHostError) -> None:
        self._promised = None
        if not isinstance(error, InsufficientMemoryError):  # which costs nothing to find out again
            self._cooldown.start_failed()
        self._set(ModelStatus.FAILED, error.message)

    async def _stop(self, reason: str | None) -> None:
        self._set(ModelStatus.STOPPING, reason)
        try:
            if self._starting is not None:
                self._starting.cancel()
                await asyncio.wait([self._starting])
                self._starting = None  # a task that is cancelled before its first step can't do this itself
            if self._instance is not None:
                await self._usage.drained()
            if self._instance is not None:
                await self._instance.close()
        finally:
            self._instance = self._promised = self._launch = None
            self._stopping = None
            self._last_crash = None
            self._by_hand = False
            self._usage.left()
            self._set(None, None)

    def _died(self, reason: str) -> None:
        self._instance = self._promised = None
        self._usage.forget_rest()
        self._last_crash = reason
        self._cooldown.crashed()
        if self._stopping is None:
            self._set(ModelStatus.FAILED, reason)

    def _progress(self, value: float) -> None:
        self._publish(ModelProgressEvent(model=self.model_id, progress=value))

    def _set(self, status: ModelStatus | None, reason: str | None) -> None:
        """Change the status; ``None``: the model is on disk, and nothing else."""
        self._status, self._reason = status, reason
        shown = ModelStatus.DOWNLOADED if status is None else status
        self._publish(ModelEvent(model=self.model_id, status=shown, reason=reason))

"""All models in memory: started, watched, leased to requests, stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from jan_host.config import RuntimeConfig
from jan_host.contract.engine import Footprint, LoadedModel
from jan_host.contract.errors import JanHostError, UnavailableError
from jan_host.contract.events import Event
from jan_host.kit.machine import usable_cores
from jan_host.runtime.admission import Admission
from jan_host.runtime.cores import Cores
from jan_host.runtime.launch import Launch, Place, RuntimeStatus
from jan_host.runtime.launcher import Launcher
from jan_host.runtime.places import HostPlace, WorkerPlace
from jan_host.runtime.subprocesses import SubprocessLauncher
from jan_host.runtime.supervisor import Supervisor


class Runtime:
    """The door of this room. Used on one event loop.

    Args:
        config: Timeouts and limits.
        publish: Gets a `ModelEvent` for each change of a model's status, and `ModelProgressEvent`
            while one loads. Called on the event loop; must not raise.
        launcher: Makes workers; processes of this machine when left out.
        budget: The memory that all models may take together; 0 stands for no limit.
        cores: The cores that workers share; those that this process may use when left out.
    """

    def __init__(
        self,
        *,
        config: RuntimeConfig,
        publish: Callable[[Event], None],
        launcher: Launcher | None = None,
        budget: Callable[[], Footprint] = Footprint,
        cores: int | None = None,
    ) -> None:
        self._config = config
        self._publish = publish
        self._workers = WorkerPlace(config, launcher or SubprocessLauncher(), Cores(cores or usable_cores()))
        self._host = HostPlace(config)
        self._supervisors: dict[str, Supervisor] = {}
        self._admission = Admission(
            budget,
            lambda: [supervisor.residence for supervisor in self._supervisors.values()],
            config.start_timeout_seconds,
        )
        self._closing = False

    def status(self, model_id: str) -> RuntimeStatus:
        """How a model stands; all empty for one that was never started."""
        supervisor = self._supervisors.get(model_id)
        return RuntimeStatus() if supervisor is None else supervisor.status()

    def known(self) -> set[str]:
        """The ids of the models that were started at some time: of all others, `status` is empty."""
        return set(self._supervisors)

    def running(self) -> list[str]:
        """The ids of the models that are in memory, or on their way in or out; sorted."""
        return sorted(name for name, supervisor in self._supervisors.items() if supervisor.residence.is_taken)

    async def start(self, launch: Launch, *, explicit: bool = False) -> LoadedModel:
        """Start a model and wait until it is ready. One that runs already is returned.

        Cancelling the caller does not cancel the start, which others may wait for: `stop` does.

        Args:
            launch: What to start.
            explicit: A user asked for it, which ends the pause after a failure, and starts a model
                anew that runs with other settings.

        Raises:
            ModelCoolingDownError: It failed a moment ago; has `retry_after`.
            ModelLoadError: It could not be loaded, with the reason.
            InsufficientMemoryError: It is larger than what models may take.
            UnavailableError: It found no room in time, was stopped meanwhile, or the runtime is closing.
        """
        return await self._supervisor(launch.model.id).start(launch, explicit=explicit)

    def lease(self, launch: Launch) -> AbstractAsyncContextManager[LoadedModel]:
        """A model for the time of one request, started if it does not run; `stop` waits for its end.

        Raises:
            TooManyRequestsError: Too many requests are there for this model.
            JanHostError: As `start`.
        """
        return self._supervisor(launch.model.id).lease(launch)

    async def stop(self, model_id: str) -> None:
        """Let the model's running requests end, for a while, then free it.

        A failed model counts as downloaded again. Requests that come meanwhile wait, and start it again.
        """
        supervisor = self._supervisors.get(model_id)
        if supervisor is not None:
            await supervisor.stop(self._config.stop_seconds)

    @asynccontextmanager
    async def removing(self, model_id: str, error: JanHostError) -> AsyncIterator[None]:
        """Stop a model, and start it no more before the block has ended; then all of it is forgotten.

        Args:
            model_id: The model.
            error: What they get who wait for the model, or ask for it meanwhile.
        """
        supervisor = self._supervisor(model_id)
        await supervisor.end(self._config.stop_seconds, error)
        try:
            yield
        finally:
            if self._supervisors.get(model_id) is supervisor:
                del self._supervisors[model_id]

    async def close(self, grace_seconds: float) -> None:
        """Stop all models, their requests having `grace_seconds` to end. Nothing can be started any more."""
        self._closing = True
        supervisors = list(self._supervisors.values())
        await asyncio.gather(*(each.end(grace_seconds, _closed()) for each in supervisors))

    def _supervisor(self, model_id: str) -> Supervisor:
        if self._closing:
            raise _closed()
        found = self._supervisors.get(model_id)
        if found is None:
            found = Supervisor(model_id, self._config, self._publish, self._place, self._admission)
            self._supervisors[model_id] = found
        return found

    def _place(self, launch: Launch) -> Place:
        return self._host if launch.engine.runs_in == "host" else self._workers


def _closed() -> UnavailableError:
    return UnavailableError("The host is shutting down. Try again when it is back.")

"""The two places where a model lives: a worker process, or the host's own process."""

import asyncio
import logging
import os
from collections.abc import Callable

from jan_host.config import RuntimeConfig
from jan_host.contract.engine import LoadedModel, Progress
from jan_host.contract.errors import ModelLoadError, UnavailableError
from jan_host.runtime.cores import Cores
from jan_host.runtime.environment import worker_environment
from jan_host.runtime.faults import describe_error
from jan_host.runtime.frames import Load
from jan_host.runtime.launch import Instance, Launch
from jan_host.runtime.launcher import Launcher
from jan_host.runtime.loading import load_model
from jan_host.runtime.local import LocalCaller
from jan_host.runtime.proxy import proxy_model
from jan_host.runtime.session import Session

_QUIET_SECONDS = 5.0

logger = logging.getLogger(__name__)


class WorkerPlace:
    """Each model in a process of its own, so that native code which fails costs that model alone.

    Args:
        config: Timeouts.
        launcher: Makes workers.
        cores: Shared out among them.
    """

    def __init__(self, config: RuntimeConfig, launcher: Launcher, cores: Cores) -> None:
        self._config = config
        self._launcher = launcher
        self._cores = cores

    async def start(self, launch: Launch, progress: Progress, died: Callable[[str], None]) -> Instance:
        """See `Place.start`."""
        session = Session(launch.model.id, progress, died, self._cores)
        environment = worker_environment(os.environ, launch.engine.environment)
        try:
            async with asyncio.timeout(self._config.start_timeout_seconds):
                worker = await self._launcher.launch(launch.model.id, environment, session)
                await session.open(worker, _load_frame(launch))
        except TimeoutError:
            await session.abandon()
            raise _too_slow(launch, self._config) from None
        except BaseException:
            await session.abandon()
            raise
        session.watch(self._config.ping_seconds, self._config.hang_seconds)
        return session


class HostPlace:
    """In the host's process, for engines that say so: they have no native code to be afraid of."""

    def __init__(self, config: RuntimeConfig) -> None:
        self._config = config

    async def start(self, launch: Launch, progress: Progress, died: Callable[[str], None]) -> Instance:
        """See `Place.start`. The host does not outlive itself: `died` is never called."""
        try:
            async with asyncio.timeout(self._config.start_timeout_seconds):
                model = await load_model(
                    launch.engine, launch.model, launch.folder, launch.settings, progress
                )
        except TimeoutError:
            raise _too_slow(launch, self._config) from None
        return HostInstance(launch.model.id, model)


class HostInstance:
    """A model in the host's process; what its engine raises is contained all the same."""

    pid = None
    memory = None

    def __init__(self, model_id: str, model: LoadedModel) -> None:
        self._model_id = model_id
        self._loaded = model
        self._caller = LocalCaller(model)
        self.capabilities = self._caller.capabilities
        self.model = proxy_model(self.capabilities, self._caller)

    async def close(self) -> None:
        """See `Instance.close`."""
        self._caller.abort(
            UnavailableError(f"{self._model_id} was stopped before the request was done. Send it again.")
        )
        await self._caller.quiet(_QUIET_SECONDS)
        try:
            await self._loaded.unload()
        except Exception as error:
            logger.error("%s could not be unloaded: %s", self._model_id, describe_error(error))


def _load_frame(launch: Launch) -> Load:
    return Load(launch.origin, launch.engine.name, launch.model, str(launch.folder), launch.settings)


def _too_slow(launch: Launch, config: RuntimeConfig) -> ModelLoadError:
    return ModelLoadError(
        f"{launch.model.id} was not ready after {config.start_timeout_seconds:g} s, and its start was"
        " given up. Raise [runtime] start_timeout_seconds if it needs longer."
    )

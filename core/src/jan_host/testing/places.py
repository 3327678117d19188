"""Where the suite's model lives: in the test's own process, or in a real worker behind the host's runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from jan_host.contract.engine import Engine, LoadedModel, Place
from jan_host.contract.events import Event, ModelProgressEvent
from jan_host.contract.model import Model


class Loader(Protocol):
    """Brings models into memory and out of it."""

    progress: list[float]
    """What the last load reported."""

    async def load(self, model: Model, folder: Path, settings: Mapping[str, Any]) -> LoadedModel:
        """Load a model, as the host would."""
        ...

    async def unload(self, model: Model, loaded: LoadedModel) -> None:
        """Free it."""
        ...

    async def close(self) -> None:
        """Free all that is left."""
        ...


class HostLoader:
    """Calls the engine directly, in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.progress: list[float] = []

    async def load(self, model: Model, folder: Path, settings: Mapping[str, Any]) -> LoadedModel:
        """Load with the engine's own `load`."""
        self.progress = []
        decoded = msgspec.convert(dict(settings), self._engine.Settings, strict=False)
        return await self._engine.load(model, folder, decoded, self.progress.append)

    async def unload(self, model: Model, loaded: LoadedModel) -> None:
        """Unload with the model's own `unload`."""
        await loaded.unload()

    async def close(self) -> None:
        """Nothing is left."""


class WorkerLoader:
    """Starts models as the host does: each in its own worker process, spoken to through a proxy.

    The engine must be installed as a plugin, since a worker finds it by its entry point.
    """

    def __init__(self, engine: Engine, data_folder: Path) -> None:
        from jan_host.config import RuntimeConfig
        from jan_host.plugins import load_plugins
        from jan_host.runtime import Runtime

        self._engine = engine
        plugins = load_plugins(disabled=(), settings={}, data_folder=data_folder)
        self._origin = plugins.engine_origin(engine.name)
        self._runtime = Runtime(config=RuntimeConfig(), publish=self._note)
        self.progress: list[float] = []

    def _note(self, event: Event) -> None:
        if isinstance(event, ModelProgressEvent):
            self.progress.append(event.progress)

    async def load(self, model: Model, folder: Path, settings: Mapping[str, Any]) -> LoadedModel:
        """Start a worker with the model in it."""
        from jan_host.runtime import Launch

        self.progress = []
        launch = Launch(
            model=model, folder=folder, engine=self._engine, origin=self._origin, settings=dict(settings)
        )
        return await self._runtime.start(launch, explicit=True)

    async def unload(self, model: Model, loaded: LoadedModel) -> None:
        """Stop the worker."""
        await self._runtime.stop(model.id)

    async def close(self) -> None:
        """Stop all workers."""
        await self._runtime.close(grace_seconds=5)


def loader_for(place: Place, engine: Engine, data_folder: Path) -> Loader:
    """The loader of a place."""
    return WorkerLoader(engine, data_folder) if place == "worker" else HostLoader(engine)

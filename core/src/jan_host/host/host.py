"""The one object that the outside talks to: the API, the command line, extras."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from jan_host.config import Config
from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import Footprint
from jan_host.contract.errors import JanHostError
from jan_host.contract.events import DownloadInfo, Event
from jan_host.contract.generation import Delta
from jan_host.contract.importer import MEMORY_SHARE, ImportPlan, PullRequest
from jan_host.contract.model import ModelInfo
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult, RerankRequest, RerankResult
from jan_host.downloads import Downloads
from jan_host.downloads.looking import Looker
from jan_host.host.answers import Answers
from jan_host.host.arrivals import Arrivals
from jan_host.host.bringing import Bringing
from jan_host.host.bus import EventBus
from jan_host.host.catalog import Catalog
from jan_host.host.changes import ModelPatch
from jan_host.host.extras import Extras
from jan_host.host.finding import Finding
from jan_host.host.folders import Folders
from jan_host.host.following import Following
from jan_host.host.gate import Gate
from jan_host.host.images import Images
from jan_host.host.imports import Imports
from jan_host.host.launches import Launches
from jan_host.host.lifecycle import Lifecycle
from jan_host.host.planning import Planner, public
from jan_host.host.showing import Showing
from jan_host.intake.discoveries import Found
from jan_host.intake.drops import Drops
from jan_host.intake.local import LocalImport, LocalImports, Progress, no_progress
from jan_host.kit.machine import device_memory, total_memory
from jan_host.library import Library
from jan_host.library.engines import Engines
from jan_host.plugins import Plugins, load_plugins
from jan_host.runtime import Runtime

logger = logging.getLogger("jan_host.host")


class JanHost:
    """Models on disk and in memory, imports and plugins, behind one door.

    It implements `jan_host.contract.host.Host`. Use it as an async context manager, or call
    `open` and `close`. All methods are called on one event loop.
    """

    def __init__(self, config: Config, plugins: Plugins | None = None) -> None:
        self.config = config
        self.plugins = plugins or load_plugins(
            disabled=config.plugins.disabled,
            settings=config.plugin_settings,
            data_folder=config.plugin_data_folder,
        )
        self._gate = Gate()
        self._bus = EventBus()
        self._extras = Extras(self.plugins)
        self._booting: asyncio.Task[None] | None = None
        engines = Engines(self.plugins.engines())
        self.library = Library(
            models_folder=config.models_folder,
            folders=config.library_folders,
            engines_folder=config.engines_folder,
            engines=self.plugins.engines(),
        )
        self.downloads = Downloads(
            folder=config.downloads_folder, publish=self._bus.publish, config=config.downloads
        )
        self._budget = Footprint(ram=config.runtime.memory_bytes, device=config.runtime.device_memory_bytes)
        self.runtime = Runtime(config=config.runtime, publish=self._bus.publish, budget=lambda: self._budget)
        self._launches = Launches(self.plugins, self.library)
        self._catalog = Catalog(self.library, self.runtime, self.downloads, self.plugins, self._launches)
        self._folders = Folders(
            self.library,
            self._catalog,
            self.runtime,
            Drops(self.library, config.models_folder, engines, self._is_busy),
            self._bus.publish,
            models_folder=config.models_folder,
            used=config.library_folders,
        )
        self._looker = Looker(os.environ, config.downloads)
        arrivals = Arrivals(self.library, config.models_folder, engines)
        planner = Planner(
            self.plugins,
            self.library,
            memory=lambda: self._budget.ram,
            looker=self._looker,
            arrivals=arrivals,
            config=config,
        )
        self._imports = Imports(planner, self.downloads, arrivals, self.refresh)
        self._showing = Showing(self.library, self.runtime, self._catalog, self._imports, self._folders)
        self._bringing = Bringing(
            self.library,
            LocalImports(self.library, config.models_folder, config.library_folders, engines),
            self.plugins.importers(),
            engines,
            self.refresh,
            local_paths=config.downloads.local_paths,
        )
        self._finding = Finding(
            self.library,
            self.runtime,
            self._folders,
            self._imports,
            self._gate,
            fetches=config.downloads.on_start,
        )
        self._images = Images(config, os.environ)
        self._answers = Answers(
            self._finding,
            self._launches,
            self.runtime,
            self._gate,
            self._images,
            max_waiting=config.runtime.max_waiting,
        )
        self._lifecycle = Lifecycle(
            self.library,
            self.runtime,
            self._launches,
            self._finding,
            self._folders,
            self._imports,
            self.downloads,
            self._gate,
        )

    async def open(self) -> None:
        """Read the library, and let the extras begin their background work."""
        self.config.models_folder.mkdir(parents=True, exist_ok=True)
        self._budget = await asyncio.to_thread(self._whole_budget)
        await self.refresh()
        await self._imports.restore()
        await self._extras.start(self)

    def _whole_budget(self) -> Footprint:
        """What models may take: as configured, else the machine's share."""
        return Footprint(
            ram=self._budget.ram or int(total_memory() * MEMORY_SHARE),
            device=self._budget.device or int(device_memory() * MEMORY_SHARE),
        )

    def begin(self) -> None:
        """A server stands: follow what is dropped, go on with downloads, start the models of its boot."""
        self.following.begin()
        self.downloads.resume_all()
        self._booting = asyncio.create_task(self._boot())

    async def _boot(self) -> None:
        for model_id in self.config.runtime.start_at_boot:
            try:
                await self.start(model_id)
            except JanHostError as error:
                logger.error("%s could not be started at boot: %s", model_id, error)

    @property
    def accepting(self) -> bool:
        """Whether the host takes more work."""
        return self._gate.open

    @property
    def following(self) -> Following:
        """What watches the folders of models."""
        return self._folders.following

    def begin_drain(self) -> None:
        """Accept no more work; what runs may end."""
        self._gate.open = False

    async def close(self, grace_seconds: float = 0.0) -> None:
        """End everything: extras, downloads, and models after at most `grace_seconds`."""
        self.begin_drain()
        if self._booting is not None:
            self._booting.cancel()
        await self.following.close()
        await self._extras.stop()
        await self.downloads.close()
        await self._looker.close()
        self._images.close()
        await self.runtime.close(grace_seconds)
        await self._folders.left()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def refresh(self) -> None:
        """See what is on disk now."""
        await self._folders.refresh()

    async def glance(self) -> None:
        """As `refresh`; where there are many models, what is there already is shown meanwhile."""
        await self._folders.glance()

    def _is_busy(self, model_id: str) -> bool:
        return model_id in self.runtime.running() or self._imports.running(model_id) is not None

    def models(self) -> Sequence[ModelInfo]:
        """All models, sorted by id, broken ones and those being downloaded included; not to be changed.

        What did not change since the last call is the same object.
        """
        return self._catalog.infos()

    def model(self, model_id: str) -> ModelInfo:
        """One model.

        Raises:
            ModelNotFoundError: There is none with that id.
        """
        return self._showing.model(model_id)

    async def look_up(self, model_id: str) -> ModelInfo:
        """As `model`; one of which nothing is known is looked for.

        Raises:
            ModelNotFoundError: There is none with that id.
        """
        return await self._showing.look_up(model_id)

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation; see the contract."""
        return self._answers.chat(request)

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue one or several prompts; see the contract."""
        return self._answers.complete(request)

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """Turn texts into vectors."""
        return await self._answers.embed(request)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Score documents against a query."""
        return await self._answers.rerank(request)

    async def tokenize(self, model_id: str | None, text: str) -> list[int]:
        """The ids of a text's tokens."""
        return await self._answers.tokenize(model_id, text)

    async def detokenize(self, model_id: str | None, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        return await self._answers.detokenize(model_id, tokens)

    async def start(self, model_id: str, overrides: Mapping[str, Any] | None = None) -> ModelInfo:
        """Start a model and wait until it is ready.

        `overrides` go over its settings until it is stopped. A model that runs with others is
        started anew; without any, it goes on as it runs.
        """
        return self._showing.entry(await self._lifecycle.start(model_id, overrides))

    async def stop(self, model_id: str) -> ModelInfo:
        """Let the running requests end, then free the model's memory."""
        return self._showing.entry(await self._lifecycle.stop(model_id))

    async def change(self, model_id: str, patch: ModelPatch) -> ModelInfo:
        """Change fields of a model's model.json; a running model keeps its settings until it is stopped.

        Raises:
            ModelNotFoundError: There is none with that id.
            ConflictError: It is being downloaded, or lies where jan-host does not write.
            ValidationError: A value can't be used.
        """
        entry = await self._lifecycle.change(model_id, patch)
        return self.model(entry.model.id)

    async def delete(self, model_id: str, *, cancel: bool = False) -> None:
        """Stop a model and remove what the host owns of it.

        Raises:
            ModelNotFoundError: There is none with that id.
            ConflictError: It is being downloaded, and `cancel` is not set.
        """
        await self._lifecycle.delete(model_id, cancel=cancel)

    async def plan(self, request: PullRequest, *, local: bool = True) -> ImportPlan:
        """What a pull would fetch and write, with addresses as they may be shown."""
        await self.refresh()
        plan = await self._imports.plan(request, local=local)
        return public(plan)

    async def pull(self, request: PullRequest, *, local: bool = True) -> DownloadInfo:
        """Begin to bring a model; `downloads.wait` waits for the end.

        Args:
            request: What to bring.
            local: Whether the one who asks is a user of this machine: others may not name its files and
                its network.
        """
        self._gate.check()
        await self.refresh()
        return await self._imports.pull(request, local=local)

    async def import_local(
        self, request: LocalImport, *, local: bool = True, progress: Progress = no_progress
    ) -> list[ModelInfo]:
        """Make models of files of this machine: link, copy or move them.

        Args:
            request: What to import.
            local: Whether the one who asks is a user of this machine.
            progress: Told the bytes that are done and those of all, in another thread.
        """
        self._gate.check()
        found = await self._bringing.bring(request, local=local, progress=progress)
        return [self.model(model_id) for model_id in found]

    async def discover(self) -> list[Found]:
        """Models that other programs have on this machine; those that are linked already are left out."""
        return await self._bringing.discover()

    async def link(self, found: Sequence[Found]) -> list[ModelInfo]:
        """Make models of what was discovered; its files stay where they are."""
        return [self.model(model_id) for model_id in await self._bringing.link(found)]

    async def export(self, model_id: str, target: Path, progress: Progress = no_progress) -> None:
        """Copy a model into a new folder, with a model.json in canonical form."""
        entry = await self._finding.to_change(model_id)
        await self._bringing.export(entry, target, progress)

    def subscribe(self) -> AsyncIterator[Event]:
        """Everything that happens from now on."""
        return self._bus.subscribe()

    def follow(self, after: str | None = None) -> AsyncIterator[tuple[str, Event]]:
        """Events with their ids, those that came after the one with the id `after` included."""
        return self._bus.follow(after)

    @property
    def last_event_id(self) -> str:
        """The id of the newest event."""
        return self._bus.last_id

"""The one object that the outside talks to: the API, the command line, extras."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from jan_host.config import Config
from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import (
    Chats,
    Completes,
    Embeds,
    Footprint,
    Reranks,
    Tokenizes,
    capabilities_of,
)
from jan_host.contract.errors import (
    ConflictError,
    InvalidRequestError,
    JanHostError,
    ModelNotFoundError,
    UnavailableError,
)
from jan_host.contract.events import DownloadInfo, Event, LibraryEvent
from jan_host.contract.generation import Delta
from jan_host.contract.importer import MEMORY_SHARE, ImportPlan, PullRequest
from jan_host.contract.model import ModelInfo
from jan_host.contract.options import GenerationOptions
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult, RerankRequest, RerankResult
from jan_host.downloads import Downloads
from jan_host.downloads.looking import Looker
from jan_host.host.arrivals import Arrivals
from jan_host.host.bringing import Bringing
from jan_host.host.bus import EventBus
from jan_host.host.catalog import Catalog
from jan_host.host.changes import ModelPatch, change
from jan_host.host.closing import Closing
from jan_host.host.defaults import with_defaults
from jan_host.host.describing import describe_download, unsupported
from jan_host.host.following import Following
from jan_host.host.imports import Imports, public
from jan_host.host.launches import Launches
from jan_host.host.leaving import Leaving
from jan_host.host.looks import Looks
from jan_host.host.prompts import AT_ONCE, complete_all, one_by_one
from jan_host.host.reach import check_reach
from jan_host.intake.discoveries import Found
from jan_host.intake.drops import Drops
from jan_host.intake.local import LocalImport, LocalImports, Progress, no_progress
from jan_host.kit.machine import device_memory, total_memory
from jan_host.library import Entry, Library
from jan_host.library.engines import Engines
from jan_host.plugins import Plugins, load_plugins
from jan_host.runtime import Launch, Runtime

REPORT_IT = "Report it to its author, or disable the plugin."

logger = logging.getLogger("jan_host.host")

CapabilityT = TypeVar("CapabilityT")
RequestT = TypeVar("RequestT", bound=GenerationOptions)


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
        self.accepting = True
        self._bus = EventBus()
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
        self._leaving = Leaving(self.runtime)
        self._booting: asyncio.Task[None] | None = None
        self._launches = Launches(self.plugins, self.library)
        self._looker = Looker(os.environ, config.downloads)
        engines = Engines(self.plugins.engines())
        self._imports = Imports(
            self.plugins,
            self.library,
            self.downloads,
            memory=lambda: self._budget.ram,
            looker=self._looker,
            arrivals=Arrivals(self.library, config.models_folder, engines),
            refresh=self.refresh,
            config=config,
        )
        self._bringing = Bringing(
            self.library,
            LocalImports(
                self.library,
                config.models_folder,
                config.library_folders,
                engines,
            ),
            self.plugins.importers(),
            engines,
            self.refresh,
            local_paths=config.downloads.local_paths,
        )
        self._catalog = Catalog(self.library, self.runtime, self.downloads, self.plugins, self._launches)
        self.following = Following(
            self.library,
            config.models_folder,
            config.library_folders,
            Drops(self.library, config.models_folder, engines, self._is_busy),
            self._look,
        )
        self._looks = Looks(
            self._refresh, lambda: len(self.library.entries()), lambda: self.following.is_trusted
        )

    async def open(self) -> None:
        """Read the library, and let the extras begin their background work."""
        self.config.models_folder.mkdir(parents=True, exist_ok=True)
        self._budget = await asyncio.to_thread(self._whole_budget)
        await self.refresh()
        await self._imports.restore()
        for extra in self.plugins.extras():
            try:
                await extra.start(self)
            except Exception as error:  # a plugin may raise anything; it costs that plugin alone
                self.plugins.broken(extra.name, f"its extra did not start: {error!r}", REPORT_IT)

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

    def begin_drain(self) -> None:
        """Accept no more work; what runs may end."""
        self.accepting = False

    async def close(self, grace_seconds: float = 0.0) -> None:
        """End everything: extras, downloads, and models after at most `grace_seconds`."""
        self.begin_drain()
        if self._booting is not None:
            self._booting.cancel()
        await self.following.close()
        for extra in self.plugins.extras():
            try:
                await extra.stop()
            except Exception:  # a plugin may raise anything; the others must still be stopped
                logger.exception("The extra %s did not stop cleanly", extra.name)
        await self.downloads.close()
        await self._looker.close()
        await self.runtime.close(grace_seconds)
        await self._leaving.over()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def refresh(self) -> None:
        """See what is on disk now."""
        await self._looks.refresh()

    async def glance(self) -> None:
        """As `refresh`; where there are many models, what is there already is shown meanwhile."""
        await self._looks.glance()

    async def _look(self, paths: Collection[Path] | None) -> None:
        if paths is None:
            await self.refresh()
        else:
            await self._refresh(paths)

    def _is_busy(self, model_id: str) -> bool:
        return model_id in self.runtime.running() or self._imports.running(model_id) is not None

    async def look_for(self, model_id: str) -> None:
        """See whether a model of which nothing is known was dropped into a folder a moment ago."""
        await self.refresh()
        if all(entry.model.id != model_id for entry in self.library.entries()):
            await self.following.caught_up()

    async def _refresh(self, paths: Collection[Path] | None = None) -> None:
        changed = await asyncio.to_thread(self.library.refresh, paths)
        if paths is None:
            self.following.note(self.library.young())
        await asyncio.to_thread(self._catalog.prepare)
        if not changed:
            return
        self._bus.publish(LibraryEvent(models=sorted(changed)))
        present = {entry.model.id for entry in self.library.entries()}
        for model_id in self.runtime.running():
            if model_id not in present:
                self._leaving.begin(model_id)

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
        try:
            return self._info(self.library.get(model_id))
        except ModelNotFoundError:
            download = self._imports.running(model_id)
            if download is None:
                raise
            return describe_download(download)

    async def look_up(self, model_id: str) -> ModelInfo:
        """As `model`; one of which nothing is known is looked for.

        Raises:
            ModelNotFoundError: There is none with that id.
        """
        await self.glance()
        try:
            return self.model(model_id)
        except ModelNotFoundError:
            await self.look_for(model_id)
            return self.model(model_id)

    def _info(self, entry: Entry) -> ModelInfo:
        return self._catalog.describe(
            entry,
            self.runtime.status(entry.model.id),
            downloading=self._imports.running(entry.model.id) is not None,
        )

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation; see the contract."""
        return self._generate(request, Chats, lambda model, final: model.chat(final))

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue one or several prompts; see the contract."""
        requests = one_by_one(request)
        if len(requests) == 1:
            return self._complete_one(requests[0])
        # A request that fills the queue by itself could never be done, however often it is sent again.
        at_once = min(AT_ONCE, max(1, self.config.runtime.max_waiting // 2))
        return complete_all(requests, self._complete_one, at_once)

    def _complete_one(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        return self._generate(request, Completes, lambda model, final: model.complete(final))

    async def _generate(
        self,
        request: RequestT,
        capability: type[CapabilityT],
        call: Callable[[CapabilityT, RequestT], AsyncIterator[Delta]],
    ) -> AsyncIterator[Delta]:
        entry = await self._entry(request.model)
        launch = self._launches.of(entry)
        check_reach(request, launch.engine)
        async with (
            self._lease(launch, capability) as model,
            Closing(call(model, with_defaults(request, entry.model))) as deltas,
        ):
            async for delta in deltas:
                yield delta

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """Turn texts into vectors."""
        async with self._lease(await self._launch(request.model), Embeds) as model:
            return await model.embed(request)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Score documents against a query."""
        async with self._lease(await self._launch(request.model), Reranks) as model:
            return await model.rerank(request)

    async def tokenize(self, model_id: str | None, text: str) -> list[int]:
        """The ids of a text's tokens."""
        async with self._lease(await self._launch(model_id), Tokenizes) as model:
            return await model.tokenize(text)

    async def detokenize(self, model_id: str | None, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        async with self._lease(await self._launch(model_id), Tokenizes) as model:
            return await model.detokenize(tokens)

    @asynccontextmanager
    async def _lease(self, launch: Launch, capability: type[CapabilityT]) -> AsyncIterator[CapabilityT]:
        self._check_accepting()
        async with self.runtime.lease(launch) as model:
            # Its class is asked: for an object, a protocol looks for every method, which takes 8 us.
            if not issubclass(type(model), capability):
                raise unsupported(launch.model, capability, capabilities_of(model))
            yield cast(CapabilityT, model)

    async def _launch(self, model_id: str | None) -> Launch:
        return self._launches.of(await self._entry(model_id))

    async def start(self, model_id: str, overrides: Mapping[str, Any] | None = None) -> ModelInfo:
        """Start a model and wait until it is ready.

        `overrides` go over its settings until it is stopped. A model that runs with others is
        started anew; without any, it goes on as it runs.
        """
        self._check_accepting()
        entry = await self._entry(model_id)
        if overrides:
            overrides = self._launches.override(entry, overrides)
        try:
            await self.runtime.start(self._launches.of(entry), explicit=True)
        except JanHostError:
            if overrides:
                self._launches.withdraw(entry.model.id, overrides)  # a later request fares better without
            raise
        return self._info(entry)

    async def stop(self, model_id: str) -> ModelInfo:
        """Let the running requests end, then free the model's memory."""
        entry = await self._entry(model_id, bring=False)
        self._launches.forget(entry.model.id)
        await self.runtime.stop(entry.model.id)
        return self._info(entry)

    async def change(self, model_id: str, patch: ModelPatch) -> ModelInfo:
        """Change fields of a model's model.json; a running model keeps its settings until it is stopped.

        Raises:
            ModelNotFoundError: There is none with that id.
            ConflictError: It is being downloaded, or lies where jan-host does not write.
            ValidationError: A value can't be used.
        """
        entry = await self._entry(model_id, bring=False)
        await asyncio.to_thread(change, self.library, entry, patch)
        await self.refresh()
        return self.model(entry.model.id)

    async def delete(self, model_id: str, *, cancel: bool = False) -> None:
        """Stop a model and remove what the host owns of it.

        Raises:
            ModelNotFoundError: There is none with that id.
            ConflictError: It is being downloaded, and `cancel` is not set.
        """
        download = self._imports.running(model_id)
        if download is not None:
            if not cancel:
                raise ConflictError(
                    f"The model {model_id!r} is being downloaded. Wait, or delete it with ?cancel=true."
                )
            with contextlib.suppress(ConflictError):  # complete by now: it goes like any other
                await self.downloads.cancel(download.id, drop=True)
            await self.refresh()
            if all(entry.model.id != model_id for entry in self.library.entries()):
                return
        entry = await self._entry(model_id, bring=False)
        self._launches.forget(entry.model.id)
        gone = ModelNotFoundError(f"The model {entry.model.id!r} is deleted.", param="model")
        async with self.runtime.removing(entry.model.id, gone):
            await asyncio.to_thread(self.library.delete, entry.model.id)
            await self.refresh()

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
        self._check_accepting()
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
        self._check_accepting()
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
        entry = await self._entry(model_id, bring=False)
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

    def _check_accepting(self) -> None:
        if not self.accepting:
            raise UnavailableError("The host is shutting down. Try again when it is back.", retry_after=5)

    async def _entry(self, model_id: str | None, *, bring: bool = True) -> Entry:
        """The library's entry for a request, fit to be started."""
        # The seeds write some ids with a slash in front, which is no part of the id.
        named = None if model_id is None else model_id.lstrip("/")
        entry = await self._only_entry() if named is None else await self._named_entry(named)
        if bring and self.config.downloads.on_start and entry.available:
            self._check_accepting()
            await self._imports.bring(entry.model.id)
            entry = self.library.get(entry.model.id)
        if self._imports.running(entry.model.id) is not None:
            raise ConflictError(f"The model {entry.model.id!r} is still being downloaded.", param="model")
        return entry

    async def _named_entry(self, model_id: str) -> Entry:
        try:
            return self.library.get(model_id)
        except ModelNotFoundError:
            await self.look_for(model_id)
            return self.library.get(model_id)

    async def _only_entry(self) -> Entry:
        running = self.runtime.running()
        if len(running) == 1:
            return self.library.get(running[0])
        usable = [entry for entry in self.library.entries() if entry.usable]
        if not running and len(usable) == 1:
            return usable[0]
        names = ", ".join(running or [entry.model.id for entry in usable[:10]]) or "none yet"
        raise InvalidRequestError(
            f"The request names no model, and not exactly one is running. Set 'model' to one of: {names}.",
            param="model",
        )

"""From an origin to a model in the library: find the importer, plan, download, write model.json."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches

import msgspec

from jan_host.contract.engine import Footprint
from jan_host.contract.errors import (
    ConflictError,
    ImportFailedError,
    JanHostError,
    ModelNotFoundError,
    OriginNotFoundError,
)
from jan_host.contract.events import DownloadInfo
from jan_host.contract.importer import (
    MEMORY_SHARE,
    Asset,
    Importer,
    ImportOptions,
    ImportPlan,
    PullRequest,
)
from jan_host.contract.model import Model
from jan_host.downloads import Downloads
from jan_host.host.launches import engine_of
from jan_host.library import Library
from jan_host.plugins import Plugins


class Imports:
    """Plans and pulls. `refresh` is called when a model has arrived in the library."""

    def __init__(
        self,
        plugins: Plugins,
        library: Library,
        downloads: Downloads,
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._plugins = plugins
        self._library = library
        self._downloads = downloads
        self._refresh = refresh

    async def plan(self, request: PullRequest) -> ImportPlan:
        """What a pull would do.

        Raises:
            OriginNotFoundError: No importer knows the origin, or there is nothing there.
            ImportFailedError: The importer failed.
        """
        importer, rest = self._importer(request.origin.strip(), request.import_format)
        options = ImportOptions(
            variant=request.variant,
            id=request.id,
            memory=int(total_memory() * MEMORY_SHARE),
            estimate=self._estimate,
        )
        try:
            plan = await importer.resolve(rest, options)
        except JanHostError:
            raise
        except Exception as error:  # a plugin may raise anything; it costs this import alone
            raise ImportFailedError(
                f"The importer {importer.name!r} failed: {type(error).__name__}: {error}"
            ) from error
        return self._completed(plan, request)

    async def pull(self, request: PullRequest) -> DownloadInfo:
        """Plan, and begin to download. A pull that runs already is joined.

        Raises:
            ConflictError: There is a model with that id.
        """
        plan = await self.plan(request)
        running = self.running(plan.model.id)
        if running is not None:
            return running
        if self._present(plan.model.id):
            raise ConflictError(
                f"There is a model {plan.model.id!r} already. Remove it first, or pull under another id."
            )
        return self._downloads.begin(plan, self._library.folder_for(plan.model.id), self._finish)

    def _present(self, model_id: str) -> bool:
        try:
            return self._library.get(model_id).problem is None
        except ModelNotFoundError:
            return False

    def running(self, model_id: str) -> DownloadInfo | None:
        """The download that is bringing a model now."""
        for info in self._downloads.list():
            if info.model == model_id and info.status == "running":
                return info
        return None

    async def _finish(self, plan: ImportPlan) -> None:
        await asyncio.to_thread(self._library.write, self._with_own_choices(plan.model))
        await self._refresh()

    def _with_own_choices(self, model: Model) -> Model:
        """The settings and parameters that a user wrote for a model that was not here yet are kept."""
        try:
            written = self._library.get(model.id).model
        except ModelNotFoundError:
            return model
        return msgspec.structs.replace(
            model,
            settings={**model.settings, **written.settings},
            parameters={**model.parameters, **written.parameters},
        )

    def _importer(self, origin: str, import_format: str | None) -> tuple[Importer, str]:
        scheme, colon, rest = origin.partition(":")
        importers = {importer.name: importer for importer in self._plugins.importers()}
        if import_format is not None:
            importer = self._plugins.importer(import_format)
            return importer, rest if colon and scheme == import_format else origin
        if colon and scheme in importers:
            return importers[scheme], rest
        for importer in importers.values():
            if _accepts(importer, origin):
                return importer, origin
        near = get_close_matches(scheme, importers, 1) if colon else []
        if near:
            raise OriginNotFoundError(
                f"There is no importer {scheme!r}. Did you mean {near[0]}:{rest}?", param="origin"
            )
        known = ", ".join(sorted(importers)) or "none is installed"
        raise OriginNotFoundError(
            f"No importer recognises {origin!r}. Name one in front of it, as in NAME:{origin} (importers:"
            f" {known}), or install one.",
            param="origin",
        )

    def _completed(self, plan: ImportPlan, request: PullRequest) -> ImportPlan:
        model = msgspec.structs.replace(
            plan.model,
            id=request.id or plan.model.id,
            created=int(time.time()),
            engine=plan.model.engine or self._engine_name(plan.model),
            import_format=plan.model.import_format or plan.importer,
        )
        self._library.folder_for(
            model.id
        )  # refuses an id that no folder can have, before anything is fetched
        warnings = list(plan.warnings)
        if not model.engine:
            warnings.append(f"No installed engine runs {model.format!r} models; install one to start it.")
        return msgspec.structs.replace(plan, model=model, warnings=warnings)

    def _engine_name(self, model: Model) -> str:
        engine = self._plugins.engine_for_format(model.format)
        return engine.name if engine else ""

    async def _estimate(self, model: Model, assets: Sequence[Asset]) -> Footprint:
        engine = engine_of(model, self._plugins)
        settings = msgspec.convert(model.settings, engine.Settings, strict=False)
        return engine.estimate(model, None, settings)


def _accepts(importer: Importer, origin: str) -> bool:
    try:
        return importer.accepts(origin)
    except Exception:  # a plugin may raise anything; then the origin is simply not its own
        return False


def total_memory() -> int:
    """The machine's memory in bytes, or 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0

"""What a pull would bring: find the importer, ask it, and complete what it says."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from jan_host.config import Config
from jan_host.contract.errors import (
    ConflictError,
    ForbiddenError,
    ImportFailedError,
    JanHostError,
    OriginNotFoundError,
)
from jan_host.contract.importer import (
    Asset,
    Importer,
    ImportOptions,
    ImportPlan,
    PullRequest,
    RemoteFile,
)
from jan_host.contract.model import Model
from jan_host.downloads import shown
from jan_host.downloads.looking import Looker
from jan_host.host.arrivals import Arrivals
from jan_host.host.described import (
    ADDRESSES,
    check_own,
    names_addresses,
    plan_addresses,
    request_for,
    with_files,
)
from jan_host.host.estimates import Estimates
from jan_host.host.origins import GENERAL, address_in, check_origin, find_importer
from jan_host.library import Entry, Library
from jan_host.plugins import Plugins


class Planner:
    """Makes plans.

    Args:
        plugins: Whose importers find models, and whose engines estimate.
        library: Where models are described.
        memory: Bytes that one model may use.
        looker: Reads what plans need to know of remote files.
        arrivals: Knows which models are here.
        config: Says whether the operator set that memory, and who may name files of this machine.
    """

    def __init__(
        self,
        plugins: Plugins,
        library: Library,
        *,
        memory: Callable[[], int],
        looker: Looker,
        arrivals: Arrivals,
        config: Config,
    ) -> None:
        self._plugins = plugins
        self._library = library
        self._memory = memory
        self._memory_is_set = bool(config.runtime.memory_bytes)
        self._looker = looker
        self._arrivals = arrivals
        self._local_paths = config.downloads.local_paths

    async def plan(self, request: PullRequest, *, local: bool = True) -> ImportPlan:
        """What a pull would do.

        Args:
            request: What to bring. The id of a model that is described here, and whose files are not
                here yet, is an origin too.
            local: Whether the one who asks is a user of this machine.

        Raises:
            OriginNotFoundError: No importer knows the origin, or there is nothing there.
            ImportFailedError: The importer failed.
            ForbiddenError: The plan would read files of this machine, and `local` is not set.
        """
        origin = check_origin(request.origin)
        estimates = Estimates(self._plugins, self._library, self._looker)
        options = ImportOptions(
            variant=request.variant,
            id=request.id,
            memory=self._memory(),
            memory_is_set=self._memory_is_set,
            estimate=estimates.estimate,
            look=self._looker.look if local else self._look_for_others,
            local_paths=local or self._local_paths,
        )
        try:
            entry = self._arrivals.find(origin) if request.import_format is None else None
            if entry is not None and entry.usable:
                raise ConflictError(f"The model {origin!r} is here already: there is nothing to fetch.")
            if entry is not None and entry.available:
                plan = await self._plan_described(entry, request, options)
            else:
                address = address_in(origin)
                if not local and address is not None:
                    await self._looker.check_for_others(address)
                plan = await self._resolve(origin, request, options)
        finally:
            await estimates.close()
        if not local:
            await self._check_for_others(plan)
        return self._completed(plan)

    async def _look_for_others(self, asset: Asset) -> RemoteFile:
        if not asset.trusted:
            await self._looker.check_for_others(asset.url or "")
        return await self._looker.look(asset)

    async def _check_for_others(self, plan: ImportPlan) -> None:
        """Refuse a plan that a client of another machine may not have carried out.

        Raises:
            ForbiddenError: It reads files of this machine, or from inside its network.
        """
        fetched = [one for asset in plan.assets for one in asset.fetched()]
        if not self._local_paths and any(one.path is not None for one in fetched):
            raise ForbiddenError(
                f"{plan.origin} is a file of this machine. Such are imported only for its own users: run"
                " `jan-host pull` there, or let the operator set [downloads] local_paths = true."
            )
        untrusted = [one.url for one in fetched if one.url and not one.trusted]
        hosts = {urlsplit(url).netloc: url for url in untrusted}
        for url in hosts.values():
            await self._looker.check_for_others(url)

    async def _plan_described(self, entry: Entry, request: PullRequest, options: ImportOptions) -> ImportPlan:
        check_own(entry, request)
        model = entry.model
        has_addresses = names_addresses(model) and not request.variant
        if has_addresses and not self._has_importer(model):
            return await plan_addresses(model, options)
        meant = request_for(model, request)
        wanted = msgspec.structs.replace(options, variant=meant.variant, id=meant.id)
        try:
            return with_files(model, await self._resolve(check_origin(meant.origin), meant, wanted))
        except OriginNotFoundError:
            if not has_addresses:
                raise
            return await plan_addresses(model, options)

    def _has_importer(self, model: Model) -> bool:
        """Whether an importer is here that knows more of its origin than the addresses of its files."""
        names = {importer.name for importer in self._plugins.importers()}
        return bool(model.origin) and model.import_format in names - {ADDRESSES}

    async def _resolve(self, origin: str, request: PullRequest, options: ImportOptions) -> ImportPlan:
        importer, rest = find_importer(origin, request.import_format, self._plugins)
        try:
            plan = await importer.resolve(rest, options)
        except JanHostError:
            raise
        except Exception as error:  # a plugin may raise anything; it costs this import alone
            raise ImportFailedError(
                f"The importer {importer.name!r} failed: {type(error).__name__}: {error}"
            ) from error
        return self._signed(plan, importer, request)

    def _signed(self, plan: ImportPlan, importer: Importer, request: PullRequest) -> ImportPlan:
        """The plan with what the host knows better: the id asked for, when, and who found it."""
        model = msgspec.structs.replace(
            plan.model,
            id=request.id or plan.model.id,
            created=int(time.time()),
            import_format=plan.model.import_format or importer.name,
        )
        return msgspec.structs.replace(plan, model=model, warnings=list(plan.warnings))

    def _completed(self, plan: ImportPlan) -> ImportPlan:
        model = plan.model
        # Refuses an id that no folder can have, before anything is fetched.
        self._arrivals.home_of(model.id)
        engine = model.engine or self._engine_name(model)
        warnings = list(plan.warnings)
        if not engine and plan.importer in GENERAL:
            # Their format is a file's suffix, which may say nothing; engines look into what has come.
            model = msgspec.structs.replace(model, format="")
            warnings.append("What kind of model this is will be seen when it is here.")
        elif not engine:
            warnings.append(f"No installed engine runs {model.format!r} models; install one to start it.")
        return msgspec.structs.replace(
            plan, model=msgspec.structs.replace(model, engine=engine), warnings=warnings
        )

    def _engine_name(self, model: Model) -> str:
        engine = self._plugins.engine_for_format(model.format)
        return engine.name if engine else ""


def public(plan: ImportPlan) -> ImportPlan:
    """The plan for the eyes of others: addresses without user, password and signature, and no headers,
    which name the places of secrets."""
    return msgspec.structs.replace(plan, assets=[_public(asset) for asset in plan.assets])


def _public(asset: Asset) -> Asset:
    return msgspec.structs.replace(
        asset,
        url=shown(asset.url) if asset.url else None,
        headers={},
        parts=[_public(part) for part in asset.parts],
    )

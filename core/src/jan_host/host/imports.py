"""Models on their way: what a plan names is downloaded, and comes into the library."""

import asyncio
from collections.abc import Awaitable, Callable

from jan_host.contract.errors import ConflictError
from jan_host.contract.events import DownloadInfo
from jan_host.contract.importer import ImportPlan, PullRequest
from jan_host.downloads import Downloads
from jan_host.host.arrivals import Arrivals
from jan_host.host.planning import Planner
from jan_host.host.recent import RecentPlans

UNDER_WAY = frozenset({"waiting", "running"})
"""The statuses of downloads that will bring their model by themselves."""


class Imports:
    """Plans, and pulls.

    Args:
        planner: Finds out what an origin offers.
        downloads: Carries plans out.
        arrivals: Takes what has come into the library.
        refresh: Called when a model has arrived.
    """

    def __init__(
        self,
        planner: Planner,
        downloads: Downloads,
        arrivals: Arrivals,
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._planner = planner
        self._downloads = downloads
        self._arrivals = arrivals
        self._refresh = refresh
        self._recent = RecentPlans()
        self._bringing: dict[str, asyncio.Task[None]] = {}

    async def plan(self, request: PullRequest, *, local: bool = True) -> ImportPlan:
        """What a pull would do; one that follows soon does just that.

        Raises:
            JanHostError: As `Planner.plan`.
        """
        return self._recent.keep(request, local, await self._planner.plan(request, local=local))

    async def pull(self, request: PullRequest, *, local: bool = True) -> DownloadInfo:
        """Plan, and begin to download. A pull that runs already is joined.

        Raises:
            ConflictError: There is a model with that id.
        """
        plan = self._recent.take(request, local) or await self.plan(request, local=local)
        running = self.running(plan.model.id)
        if running is not None:
            return running
        entry = self._arrivals.find(plan.model.id)
        if entry is not None and entry.usable:
            raise ConflictError(
                f"There is a model {plan.model.id!r} already. Remove it first, or pull under another id."
            )
        return self._downloads.begin(plan, self._arrivals.home_of(plan.model.id), self._finish)

    async def bring(self, model_id: str) -> None:
        """Fetch the files of a model that is described here, and wait for them.

        Whoever comes meanwhile waits for the same download; that goes on when they leave.

        Raises:
            JanHostError: Why they could not be fetched.
        """
        if model_id not in self._bringing:
            task = asyncio.create_task(self._bring(model_id), name=f"bring {model_id}")
            self._bringing[model_id] = task
            task.add_done_callback(lambda _: self._bringing.pop(model_id))
        await asyncio.shield(self._bringing[model_id])

    async def _bring(self, model_id: str) -> None:
        running = self.running(model_id) or await self.pull(PullRequest(origin=model_id))
        ended = await self._downloads.wait(running.id)
        if ended.status == "cancelled":
            raise ConflictError(
                f"The download of {model_id!r} was cancelled. Fetch it: jan-host pull {model_id}",
                param="model",
            )

    def running(self, model_id: str) -> DownloadInfo | None:
        """The download that is bringing a model now, or waits for its turn."""
        for info in self._downloads.list():
            if info.model == model_id and info.status in UNDER_WAY:
                return info
        return None

    async def restore(self) -> None:
        """List the downloads that earlier processes left; a server then goes on with them."""
        await self._downloads.restore(self._finish)

    async def _finish(self, plan: ImportPlan) -> None:
        await asyncio.to_thread(self._arrivals.settle, plan.model)
        await self._refresh()

"""One plan on its way from addresses to a model's folder."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jan_host.contract.errors import DownloadError, JanHostError
from jan_host.contract.importer import ImportPlan
from jan_host.downloads.bringing import Bringer
from jan_host.downloads.disk import ensure_space
from jan_host.downloads.fetch import Retries
from jan_host.downloads.folder import DownloadFolder
from jan_host.downloads.parcels import Parcel, parcels_of
from jan_host.downloads.placing import bring_near, displace, place
from jan_host.downloads.progress import Progress
from jan_host.downloads.translation import translate

if TYPE_CHECKING:
    import httpx

AT_ONCE = 2
"""How many parcels of one download are fetched at the same time."""

Finish = Callable[[ImportPlan], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every download needs from its surroundings."""

    client: Callable[[], Awaitable["httpx.AsyncClient"]]
    environ: Mapping[str, str]
    retries: Retries


class Download:
    """Carries out one plan; `start` may be called again after a failure.

    Args:
        plan: What to fetch.
        target: The model's folder.
        finish: Called once the files are in `target`.
        folder: Where partial files lie.
        progress: Shows the state to the world.
        tools: The client and the manners of transfers.

    Raises:
        ImportFailedError: The plan can't be carried out by anyone.
    """

    def __init__(
        self,
        plan: ImportPlan,
        target: Path,
        finish: Finish,
        *,
        folder: DownloadFolder,
        progress: Progress,
        tools: Tools,
    ) -> None:
        self.plan = plan
        self.target = target
        self.finish = finish
        self.folder = folder
        self.progress = progress
        self.error: JanHostError | None = None
        self._parcels = parcels_of(plan)
        self._tools = tools
        self._task: asyncio.Task[None] | None = None
        self._placed = False
        self._committing = False
        self._given_up = False

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Set to work, or go on after a failure. What is here already is not fetched again."""
        self.error = None
        self._given_up = self._committing = False
        self.progress.begin([parcel.size for parcel in self._parcels])
        self._task = asyncio.create_task(self._run(), name=f"download {self.progress.info.id}")
        self._task.add_done_callback(self._settle)

    async def ended(self) -> None:
        """Wait until it is not at work. Being cancelled here does not touch the download."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def interrupt(self) -> None:
        """End the work and keep what has come. Files that move into place already, finish."""
        if self._task is not None and not self._committing:
            self._task.cancel()
        await self.ended()

    async def give_up(self) -> None:
        """End the work and delete what has come, unless it is complete."""
        self._given_up = True
        await self.interrupt()
        if self.progress.info.status == "failed":
            self._cancelled()
        if self.progress.info.status == "cancelled":
            await asyncio.to_thread(self._discard)

    async def _run(self) -> None:
        try:
            with self.folder.locked():
                await self._work()
        except Exception as error:
            self.error = translate(error, self.folder.path.parent, self.target.parent)
            self.progress.status("failed", self.error.message)
        else:
            self.folder.remove()
            self.progress.status("done")

    def _settle(self, task: asyncio.Task[None]) -> None:
        """Say what became of an interrupted download, before anyone who waits for it looks."""
        if not task.cancelled():
            return
        if self._given_up:
            self._cancelled()
        else:
            self.error = DownloadError("The download was interrupted. Resume it, or pull the model again.")
            self.progress.status("failed", self.error.message)

    def _cancelled(self) -> None:
        self.error = None
        self.progress.status("cancelled")

    def _discard(self) -> None:
        self.folder.remove()
        if self._placed:
            displace((asset.filename for asset in self.plan.assets), self.target)
            self._placed = False

    async def _work(self) -> None:
        if not self._placed:
            self._check_space()
            await self._bring_all()
            near = await bring_near(self.folder.staging, self.target)
            self._committing = True
            place(near, self.target)
            self._placed = True
        self._committing = True
        await self.finish(self.plan)

    def _check_space(self) -> None:
        """Ask for the room that the sizes in the plan need; archives need as much again to unpack."""
        needed = 0
        for index, parcel in enumerate(self._parcels):
            if parcel.size is None or self.folder.is_staged(parcel):
                continue
            part = self.folder.part(index)
            here = self.folder.whole(index).is_file() or (parcel.path is not None and parcel.is_archive)
            needed += 0 if here else max(0, parcel.size - (part.stat().st_size if part.is_file() else 0))
            needed += parcel.size if parcel.is_archive else 0
        ensure_space(self.folder.path, needed)

    async def _bring_all(self) -> None:
        bringer = Bringer(
            folder=self.folder,
            progress=self.progress,
            client=self._tools.client,
            environ=self._tools.environ,
            retries=self._tools.retries,
        )
        room = asyncio.Semaphore(AT_ONCE)

        async def bring(index: int, parcel: Parcel) -> None:
            async with room:
                await bringer.bring(index, parcel)

        try:
            async with asyncio.TaskGroup() as group:
                for index, parcel in enumerate(self._parcels):
                    group.create_task(bring(index, parcel))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

"""One plan on its way from addresses to a model's folder."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from jan_host.contract.errors import ConflictError, DownloadError, JanHostError
from jan_host.contract.importer import ImportPlan
from jan_host.downloads.bringing import Bringer
from jan_host.downloads.disk import ensure_space
from jan_host.downloads.folder import DownloadFolder
from jan_host.downloads.joining import join_all
from jan_host.downloads.manners import Manners
from jan_host.downloads.parcels import Parcel, parcels_of
from jan_host.downloads.placing import bring_near, displace, place
from jan_host.downloads.progress import Progress, Publish
from jan_host.downloads.records import INTERRUPTED, Record, write_record
from jan_host.downloads.translation import translate

Finish = Callable[[ImportPlan], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every download needs from its surroundings."""

    manners: Callable[[], Manners]
    environ: Mapping[str, str]
    turns: asyncio.Semaphore
    """How many downloads work at once; the others wait."""
    files_at_once: int
    publish: Publish


class Download:
    """Carries out one plan; `start` may be called again after a failure.

    Args:
        record: The plan, where its files go, and what became of it so far.
        finish: Called once the files are in the target.
        folder: Where partial files lie.
        tools: What it shares with others.

    Raises:
        ImportFailedError: The plan can't be carried out by anyone.
    """

    def __init__(self, record: Record, finish: Finish, *, folder: DownloadFolder, tools: Tools) -> None:
        self.record = record
        self.finish = finish
        self.folder = folder
        self._parcels = parcels_of(record.plan)
        info = record.info(folder.path.name)
        self.error: JanHostError | None = DownloadError(info.error) if info.error else None
        self.progress = Progress(info, self._parcels, tools.publish)
        self._tools = tools
        self._task: asyncio.Task[None] | None = None
        self._committing = False
        self._given_up = False

    @property
    def running(self) -> bool:
        """Whether it is at work, or waits for its turn."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Set to work, or go on after a failure. What is here already is not fetched again."""
        self.error = None
        self._given_up = self._committing = False
        self.progress.begin("waiting" if self._tools.turns.locked() else "running")
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

    async def give_up(self, *, drop: bool) -> None:
        """End the work, unless it is complete; with `drop`, delete what has come."""
        self._given_up = True
        await self.interrupt()
        if self.progress.info.status == "done":
            return
        if self.progress.info.status != "cancelled":
            self._cancelled()
        await asyncio.to_thread(self._drop if drop else self._keep_cancelled)

    async def _run(self) -> None:
        try:
            with self.folder.locked():
                await self._run_locked()
        except Exception as error:  # another process is at work here, or there is no folder to work in
            self._failed(error)
        else:
            if self.progress.info.status == "done":
                await asyncio.to_thread(self.folder.remove)

    async def _run_locked(self) -> None:
        try:
            await self._note("active")
            async with self._tools.turns:
                if self.progress.info.status == "waiting":
                    self.progress.status("running")
                await self._work()
        except Exception as error:
            self._failed(error)
            await self._note("failed")
        else:
            self.progress.status("done")

    def _failed(self, error: Exception) -> None:
        self.error = translate(error, self.folder.path.parent, self.record.target.parent)
        self.progress.status("failed", self.error.message)

    def _settle(self, task: asyncio.Task[None]) -> None:
        """Say what became of an interrupted download, before anyone who waits for it looks."""
        if not task.cancelled():
            return
        if self._given_up:
            self._cancelled()
        else:
            self.error = DownloadError(INTERRUPTED)
            self.progress.status("failed", self.error.message)

    def _cancelled(self) -> None:
        self.error = None
        self.progress.status("cancelled")

    async def _note(self, status: str) -> None:
        """Keep the state for the next process. A full disk does not matter more than it does anyway."""
        self.record.status = status
        self.record.error = self.progress.info.error
        self.record.files = self.progress.snapshot().files
        try:
            await asyncio.to_thread(write_record, self.folder.path, self.record)
        except OSError:
            if status == "active":
                raise

    def _keep_cancelled(self) -> None:
        """Note that it does not go on by itself. Another process's download is left alone."""
        with contextlib.suppress(ConflictError, OSError), self.folder.locked():
            self.record.status, self.record.error = "cancelled", None
            self.record.files = self.progress.snapshot().files
            write_record(self.folder.path, self.record)

    def _drop(self) -> None:
        self.folder.remove()
        if self.record.placing:
            displace((asset.filename for asset in self.record.plan.assets), self.record.target)
            self.record.placing = False

    async def _work(self) -> None:
        target = self.record.target
        if not self._is_brought():
            self.record.placing = False
            ensure_space(
                self.folder.path,
                sum(self.folder.missing(index, parcel) for index, parcel in enumerate(self._parcels)),
            )
            await self._bring_all()
            await join_all(self.record.plan.assets, self.folder.staging)
        near = await bring_near(self.folder.staging, target)
        self._committing = True
        if not self.record.placing:
            self.record.placing = True
            await self._note("active")
        await asyncio.to_thread(place, near, target)
        await self.finish(self.record.plan)

    def _is_brought(self) -> bool:
        """Whether an earlier run brought everything, and was ended while the files moved into place."""
        staged, target = self.folder.staging, self.record.target
        names = [asset.filename for asset in self.record.plan.assets]
        here = all((staged / name).is_file() or (target / name).is_file() for name in names)
        return self.record.placing and here

    async def _bring_all(self) -> None:
        bringer = Bringer(
            folder=self.folder,
            progress=self.progress,
            manners=self._tools.manners,
            environ=self._tools.environ,
        )
        room = asyncio.Semaphore(self._tools.files_at_once)

        async def bring(index: int, parcel: Parcel) -> None:
            async with room:
                await bringer.bring(index, parcel)

        try:
            async with asyncio.TaskGroup() as group:
                for index, parcel in enumerate(self._parcels):
                    group.create_task(bring(index, parcel))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

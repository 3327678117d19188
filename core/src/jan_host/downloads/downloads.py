"""All downloads of this process: begin, watch, cancel, resume."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from jan_host.config import DownloadsConfig
from jan_host.contract.errors import ConflictError, DownloadNotFoundError, JanHostError
from jan_host.contract.events import DownloadInfo, Event
from jan_host.contract.importer import ImportPlan
from jan_host.downloads.download import Download, Finish, Tools
from jan_host.downloads.folder import DownloadFolder
from jan_host.downloads.manners import Manners, make_manners
from jan_host.downloads.parcels import id_of, parcels_of
from jan_host.downloads.records import Record, read_record

_log = logging.getLogger(__name__)

MOST_DONE = 100
"""Complete downloads that are remembered; older ones are forgotten. Others are kept until they end."""

MakeManners = Callable[[DownloadsConfig, Mapping[str, str]], Manners]


class Downloads:
    """Carries out plans. Belongs to one event loop.

    A download that has not ended well lies in a folder of its own: what to do, and what of it is
    done. `restore` takes these up again, also after the process was killed.

    Args:
        folder: Where they lie.
        publish: Told a `DownloadEvent` at most five times a second for each download, and at
            every change of its status.
        config: How many at once, how fast, and where to.
        environ: Where ``env:NAME`` in headers is looked up when a request is made.
        manners: Makes what transfers share; on first use, since it needs the event loop.
    """

    def __init__(
        self,
        *,
        folder: Path,
        publish: Callable[[Event], None],
        config: DownloadsConfig | None = None,
        environ: Mapping[str, str] = os.environ,
        manners: MakeManners = make_manners,
    ) -> None:
        self._folder = folder
        self._config = config or DownloadsConfig()
        self._environ = environ
        self._make_manners = manners
        self._manners: Manners | None = None
        self._tools = Tools(
            manners=self._get_manners,
            environ=environ,
            turns=asyncio.Semaphore(self._config.at_once),
            files_at_once=self._config.files_at_once,
            publish=publish,
        )
        self._downloads: dict[str, Download] = {}

    def begin(self, plan: ImportPlan, target: Path, finish: Finish) -> DownloadInfo:
        """Start to fetch a plan's files. Needs a running event loop.

        The same plan has the same id again: one that is on its way is joined, and a broken one
        goes on where it stopped, also after a restart of the process.

        Args:
            plan: From an importer.
            target: The model's folder; made when the files are complete.
            finish: Called with the plan once the files are in `target`; may be called twice when
                the process is killed meanwhile.

        Raises:
            ImportFailedError: The plan names files outside the model's folder, or no address.
        """
        name = id_of(plan)
        known = self._downloads.get(name)
        if known is not None and known.running:
            return known.progress.snapshot()
        placing = known is not None and known.record.placing
        record = Record(status="active", created=int(time.time()), plan=plan, target=target, placing=placing)
        download = self._add(name, record, finish)
        download.start()
        return download.progress.snapshot()

    async def restore(self, finish: Finish) -> None:
        """Take up what earlier processes left: it is listed, and waits for `resume` or `resume_all`.

        What another process is at work on is left to it.

        Args:
            finish: As for `begin`.
        """
        found = await asyncio.to_thread(self._read_records)
        for name, record in sorted(found.items(), key=lambda item: item[1].created):
            if name in self._downloads:
                continue
            try:
                self._add(name, record, finish)
            except JanHostError as error:
                _log.warning("The download %s can't be taken up again: %s", name, error)

    def resume_all(self) -> None:
        """Go on with what was on its way when the last process ended, unless the settings say no."""
        if not self._config.resume_at_start:
            return
        for download in self._downloads.values():
            if download.record.status == "active" and download.progress.info.status == "failed":
                download.start()

    async def wait(self, download_id: str) -> DownloadInfo:
        """Wait until the download has ended: done or cancelled.

        Raises:
            DownloadNotFoundError: No download has that id.
            JanHostError: Why it failed.
        """
        download = self._find(download_id)
        await download.ended()
        if download.progress.info.status == "failed" and download.error is not None:
            raise download.error
        return download.progress.snapshot()

    def list(self) -> list[DownloadInfo]:
        """All downloads that are known, the oldest first."""
        return [download.progress.snapshot() for download in self._downloads.values()]

    def get(self, download_id: str) -> DownloadInfo:
        """One download.

        Raises:
            DownloadNotFoundError: No download has that id.
        """
        return self._find(download_id).progress.snapshot()

    async def cancel(self, download_id: str, *, drop: bool = False) -> DownloadInfo:
        """Give a download up. Cancelling twice is no error.

        Args:
            download_id: Which.
            drop: Whether what has come is deleted; else a resume goes on from there.

        Raises:
            DownloadNotFoundError: No download has that id.
            ConflictError: It is complete.
        """
        download = self._find(download_id)
        await download.give_up(drop=drop)
        if download.progress.info.status == "done":
            raise ConflictError(
                f"The download {download_id!r} is complete."
                f" Delete the model {download.record.plan.model.id!r} instead."
            )
        return download.progress.snapshot()

    async def resume(self, download_id: str) -> DownloadInfo:
        """Go on with a download that failed or was cancelled.

        Raises:
            DownloadNotFoundError: No download has that id.
            ConflictError: It is complete.
        """
        download = self._find(download_id)
        if download.progress.info.status == "done":
            raise ConflictError(f"The download {download_id!r} is complete; there is nothing to resume.")
        if not download.running:
            download.start()
        return download.progress.snapshot()

    async def close(self) -> None:
        """Interrupt what is on its way, so that the next process can go on with it."""
        for download in reversed(self._downloads.values()):  # those that wait first, or they would begin
            await download.interrupt()
        if self._manners is not None:
            self._manners.dialer.close()
            self._manners = None

    def _add(self, name: str, record: Record, finish: Finish) -> Download:
        download = Download(record, finish, folder=DownloadFolder(self._folder / name), tools=self._tools)
        self._downloads.pop(name, None)
        self._downloads[name] = download
        done = [key for key, each in self._downloads.items() if each.progress.info.status == "done"]
        for key in done[:-MOST_DONE]:
            del self._downloads[key]
        return download

    def _find(self, download_id: str) -> Download:
        try:
            return self._downloads[download_id]
        except KeyError:
            raise DownloadNotFoundError(
                f"There is no download {download_id!r}. GET /v1/downloads lists those that there are."
            ) from None

    def _read_records(self) -> dict[str, Record]:
        """The records of all downloads that no process is at work on."""
        found: dict[str, Record] = {}
        if not self._folder.is_dir():
            return found
        for path in self._folder.iterdir():
            folder = DownloadFolder(path)
            record = None if folder.is_busy() else read_record(path)
            if record is not None:
                with contextlib.suppress(JanHostError):  # a plan that nobody can carry out: told when added
                    record.files = folder.here(parcels_of(record.plan), record.files)
                found[path.name] = record
        return found

    def _get_manners(self) -> Manners:
        if self._manners is None:
            self._manners = self._make_manners(self._config, self._environ)
        return self._manners

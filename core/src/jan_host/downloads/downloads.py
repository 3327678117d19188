"""All downloads of this process: begin, watch, cancel, resume."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jan_host.contract.errors import ConflictError, DownloadNotFoundError
from jan_host.contract.events import DownloadInfo, Event
from jan_host.contract.importer import ImportPlan
from jan_host.downloads.download import Download, Finish, Tools
from jan_host.downloads.fetch import Retries
from jan_host.downloads.folder import DownloadFolder
from jan_host.downloads.parcels import id_of
from jan_host.downloads.progress import Progress

if TYPE_CHECKING:
    import httpx


class Downloads:
    """Carries out plans. Belongs to one event loop; the state lives in memory, partial files on disk.

    Args:
        folder: Where partial files lie, in a folder for each download.
        publish: Told a `DownloadEvent` at most five times a second for each download, and at
            its beginning and end.
        environ: Where ``env:NAME`` in headers is looked up when a request is made.
        retries: How often and how soon broken transfers are tried again.
    """

    def __init__(
        self,
        *,
        folder: Path,
        publish: Callable[[Event], None],
        environ: Mapping[str, str] = os.environ,
        retries: Retries | None = None,
    ) -> None:
        self._folder = folder
        self._publish = publish
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._tools = Tools(client=self._open_client, environ=environ, retries=retries or Retries())
        self._downloads: dict[str, Download] = {}

    def begin(self, plan: ImportPlan, target: Path, finish: Finish) -> DownloadInfo:
        """Start to fetch a plan's files. Needs a running event loop.

        The same plan has the same id again: one that runs is joined, and a broken one goes on
        where it stopped, also after a restart of the process.

        Args:
            plan: From an importer.
            target: The model's folder; made when the files are complete.
            finish: Called with the plan once the files are in `target`.

        Raises:
            ImportFailedError: The plan names files outside the model's folder, or no address.
        """
        name = id_of(plan)
        known = self._downloads.get(name)
        if known is not None and known.running:
            return known.progress.snapshot()
        info = DownloadInfo(
            id=name,
            model=plan.model.id,
            origin=plan.origin,
            importer=plan.importer,
            status="running",
            created=int(time.time()),
        )
        download = Download(
            plan,
            target,
            finish,
            folder=DownloadFolder(self._folder / name),
            progress=Progress(info, self._publish),
            tools=self._tools,
        )
        self._downloads[name] = download
        download.start()
        return download.progress.snapshot()

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
        """All downloads since the process began, the oldest first."""
        return [download.progress.snapshot() for download in self._downloads.values()]

    def get(self, download_id: str) -> DownloadInfo:
        """One download.

        Raises:
            DownloadNotFoundError: No download has that id.
        """
        return self._find(download_id).progress.snapshot()

    async def cancel(self, download_id: str) -> DownloadInfo:
        """Give a download up and delete what has come. Cancelling twice is no error.

        Raises:
            DownloadNotFoundError: No download has that id.
            ConflictError: It is complete.
        """
        download = self._find(download_id)
        await download.give_up()
        if download.progress.info.status == "done":
            raise ConflictError(
                f"The download {download_id!r} is complete."
                f" Delete the model {download.plan.model.id!r} instead."
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
        """Interrupt what runs, keep the partial files for the next time, and close connections."""
        for download in self._downloads.values():
            await download.interrupt()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _find(self, download_id: str) -> Download:
        try:
            return self._downloads[download_id]
        except KeyError:
            raise DownloadNotFoundError(
                f"There is no download {download_id!r}. GET /v1/downloads lists those that there are."
            ) from None

    async def _open_client(self) -> "httpx.AsyncClient":
        """The one client, made on first use and in a thread: certificates take a while to load."""
        from jan_host.downloads.transport import new_client

        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(new_client)
        return self._client

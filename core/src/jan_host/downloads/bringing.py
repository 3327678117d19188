"""One parcel from wherever it is to complete files in the staging folder."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jan_host.contract.errors import DownloadError
from jan_host.downloads.archive import extract
from jan_host.downloads.copying import hash_file
from jan_host.downloads.disk import ensure_space
from jan_host.downloads.fetch import CHUNK_BYTES, Fetch, Retries
from jan_host.downloads.folder import DownloadFolder
from jan_host.downloads.parcels import Parcel
from jan_host.downloads.partial import PartialFile, compare
from jan_host.downloads.progress import Progress

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Bringer:
    """Brings the parcels of one download."""

    folder: DownloadFolder
    progress: Progress
    client: Callable[[], Awaitable["httpx.AsyncClient"]]
    environ: Mapping[str, str]
    retries: Retries

    async def bring(self, index: int, parcel: Parcel) -> None:
        """Fetch the parcel, verify it, and stage the files that come out of it.

        Raises:
            ImportFailedError: One of its kinds; what has come is kept unless it is wrong.
        """
        if not self.folder.is_staged(parcel):
            source = await self._verified(index, parcel)
            if parcel.is_archive:
                await extract(source, parcel.assets, self.folder.staging, parcel.label)
                # In a thread: to free gigabytes takes a file system a while.
                await asyncio.to_thread(self.folder.whole(index).unlink, missing_ok=True)
            else:
                target = self.folder.staging.joinpath(parcel.assets[0].filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
        if parcel.size is not None:
            self.progress.received(index, parcel.size)

    async def _verified(self, index: int, parcel: Parcel) -> Path:
        """A file that is all of the parcel, with the right size and hash."""
        whole = self.folder.whole(index)
        if whole.is_file():
            return whole
        if parcel.path is not None and parcel.is_archive:
            return await _verified_in_place(parcel.path, parcel)
        partial = PartialFile(self.folder.part(index))
        try:
            if parcel.path is not None:
                await self._copy(index, parcel.path, partial)
            else:
                await self._fetch(index, parcel, partial)
            await asyncio.to_thread(partial.verify, parcel.sha256, parcel.label)
            partial.move(whole)
        finally:
            partial.close()
        return whole

    async def _fetch(self, index: int, parcel: Parcel, partial: PartialFile) -> None:
        while await asyncio.to_thread(partial.absorb):
            self.progress.received(index, partial.length)

        def on_total(total: int) -> None:
            self.progress.total(index, total)
            ensure_space(self.folder.path, total - partial.length)

        await Fetch(
            parcel=parcel,
            partial=partial,
            client=await self.client(),
            environ=self.environ,
            retries=self.retries,
            on_total=on_total,
            on_received=lambda count: self.progress.received(index, count),
        ).run()

    async def _copy(self, index: int, path: Path, partial: PartialFile) -> None:
        partial.restart()
        with _existing(path).open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            self.progress.total(index, total)
            ensure_space(self.folder.path, total)
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                await asyncio.to_thread(partial.append, chunk)
                self.progress.received(index, partial.length)


async def _verified_in_place(path: Path, parcel: Parcel) -> Path:
    """A local archive is read where it lies."""
    if parcel.sha256 is not None:
        compare(await hash_file(_existing(path)), parcel.sha256, parcel.label)
    return _existing(path)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DownloadError(f"The file {path} is not there any more. Check the path and pull again.")
    return path

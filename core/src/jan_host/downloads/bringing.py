"""One parcel from wherever it is to complete files in the staging folder."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jan_host.contract.errors import DownloadError
from jan_host.downloads.archive import extract
from jan_host.downloads.copying import hash_file
from jan_host.downloads.disk import ensure_space
from jan_host.downloads.fetch import Fetch
from jan_host.downloads.folder import DownloadFolder
from jan_host.downloads.headers import reveal
from jan_host.downloads.ledger import Segment
from jan_host.downloads.manners import Manners
from jan_host.downloads.parcels import Parcel
from jan_host.downloads.partial import PartialFile, compare
from jan_host.downloads.progress import Progress
from jan_host.downloads.receiving import BLOCK_BYTES
from jan_host.downloads.transport import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Bringer:
    """Brings the parcels of one download."""

    folder: DownloadFolder
    progress: Progress
    manners: Callable[[], Manners]
    environ: Mapping[str, str]

    async def bring(self, index: int, parcel: Parcel) -> None:
        """Fetch the parcel, verify it, and stage the files that come out of it.

        Raises:
            ImportFailedError: One of its kinds; what has come is kept unless it is wrong.
        """
        if not self.folder.is_staged(parcel):
            source = await self._verified(index, parcel)
            if parcel.is_archive:
                self.progress.file(index, "verifying")
                await extract(source, parcel.assets, self.folder.staging, parcel.label)
                # In a thread: to free gigabytes takes a file system a while.
                await asyncio.to_thread(self.folder.whole(index).unlink, missing_ok=True)
            else:
                target = self.folder.staging.joinpath(parcel.assets[0].filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
        self.progress.done(index, parcel.size)

    async def _verified(self, index: int, parcel: Parcel) -> Path:
        """A file that is all of the parcel, with the right size and hash."""
        whole = self.folder.whole(index)
        if whole.is_file():
            return whole
        if parcel.path is not None and parcel.is_archive:
            return await _verified_in_place(parcel.path, parcel)
        partial = PartialFile(self.folder.part(index), parcel, self.manners().segment_bytes)
        self.progress.watch(index, partial.ledger)
        if parcel.path is not None:
            await self._copy(parcel.path, partial)
        else:
            await self._fetch(parcel, partial)
        self.progress.file(index, "verifying")
        await asyncio.to_thread(partial.verify)
        partial.move(whole)
        return whole

    async def _fetch(self, parcel: Parcel, partial: PartialFile) -> None:
        assert parcel.url is not None
        asset = parcel.assets[0]
        manners = self.manners()
        await Fetch(
            parcel=parcel,
            partial=partial,
            source=Source(
                manners.dialer,
                parcel.url,
                lambda: reveal(asset.headers, self.environ),
                trusted=asset.trusted,
            ),
            manners=manners,
            check_space=lambda left: ensure_space(self.folder.path, left),
        ).run()

    async def _copy(self, path: Path, partial: PartialFile) -> None:
        """Copy a local file, in steps short enough to be cancelled between."""
        await asyncio.to_thread(partial.restart)
        with _existing(path).open("rb", buffering=0) as source, partial.writer(0) as target:
            total = os.fstat(source.fileno()).st_size
            ensure_space(self.folder.path, total)
            partial.ledger.end_at(total)
            if (segment := partial.ledger.claim(total)) is None:
                return  # the file is empty
            try:
                while await asyncio.to_thread(_copy_block, source, partial, target, segment):
                    pass
            finally:
                partial.ledger.release(segment)


def _copy_block(source: IO[bytes], partial: PartialFile, target: IO[bytes], segment: Segment) -> bool:
    block = source.read(min(BLOCK_BYTES, partial.ledger.room(segment)))
    partial.append(target, segment, memoryview(block))
    return bool(block)


async def _verified_in_place(path: Path, parcel: Parcel) -> Path:
    """A local archive is read where it lies."""
    if parcel.sha256 is not None:
        compare(await hash_file(_existing(path)), parcel.sha256, parcel.label)
    return _existing(path)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DownloadError(f"The file {path} is not there any more. Check the path and pull again.")
    return path

"""The folder of one download: partial files, fetched archives, and files that are complete.

    <downloads>/<id>/
        lock            held while a process works here
        download.json   what is to be done, and whether it goes on by itself
        0.part          parcel 0, as far as it has come; 0.part.json says which bytes of it are sure
        1.whole         parcel 1, complete and verified, not yet unpacked
        files/          complete files under their final names

What has a name without ``.part`` is complete, so that a download goes on after any break.
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from jan_host.contract.errors import ConflictError
from jan_host.contract.events import FileProgress
from jan_host.downloads.disk import used
from jan_host.downloads.locking import is_locked, lock
from jan_host.downloads.parcels import Parcel
from jan_host.downloads.partial import bytes_of


class DownloadFolder:
    """The paths of one download's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.staging = path / "files"

    def part(self, index: int) -> Path:
        """Where the parcel `index` grows."""
        return self.path / f"{index}.part"

    def whole(self, index: int) -> Path:
        """Where the parcel `index` lies once it is verified."""
        return self.path / f"{index}.whole"

    def missing(self, index: int, parcel: Parcel) -> int:
        """Bytes of room that the parcel still needs, by the plan; archives as much again to unpack."""
        if parcel.size is None or self.is_staged(parcel):
            return 0
        unpacked = parcel.size if parcel.is_archive else 0
        if self.whole(index).is_file() or (parcel.path is not None and parcel.is_archive):
            return unpacked
        part = self.part(index)
        # Of a file with gaps, only what it takes up is here.
        here = used(part) if part.is_file() else 0
        return unpacked + max(0, parcel.size - here)

    def here(self, parcels: Sequence[Parcel], told: Sequence[FileProgress]) -> list[FileProgress]:
        """How far each file is by what lies here, whatever ended the process that fetched it.

        Args:
            parcels: What is fetched.
            told: What that process last said.
        """
        earlier = {file.filename: file for file in told}
        found = []
        for index, parcel in enumerate(parcels):
            staged = self.is_staged(parcel)
            whole = staged or self.whole(index).is_file()
            count = (parcel.size or 0) if whole else bytes_of(self.part(index))
            for name in parcel.names:
                file = earlier.get(name) or FileProgress(filename=name, total=parcel.size)
                status = "done" if staged else file.status
                found.append(msgspec.structs.replace(file, received=count or file.received, status=status))
        return found

    def is_staged(self, parcel: Parcel) -> bool:
        """Whether everything that the parcel brings is complete."""
        return all(
            self.staging.joinpath(asset.filename).is_file() or self.staging.joinpath(whole).is_file()
            for asset, whole in zip(parcel.assets, parcel.wholes, strict=True)
        )

    def is_busy(self) -> bool:
        """Whether a process is at work here."""
        try:
            with open(self.path / "lock", "rb+") as file:
                return is_locked(file)
        except OSError:
            return False

    def remove(self) -> None:
        """Delete the folder with all that was fetched, unless another process is at work in it."""
        if self.path.exists():
            with contextlib.suppress(ConflictError), self.locked():
                shutil.rmtree(self.path, ignore_errors=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other processes out of it.

        Raises:
            ConflictError: Another process is at work here.
        """
        self.staging.mkdir(parents=True, exist_ok=True)
        with open(self.path / "lock", "a+b") as file:
            try:
                lock(file)
            except OSError:
                raise ConflictError(
                    "Another jan-host process is fetching the same model now. Wait until it has ended."
                ) from None
            yield

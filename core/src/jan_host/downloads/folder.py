"""The folder of one download: partial files, fetched archives, and files that are complete.

    <downloads>/<id>/
        lock            held while a process works here
        0.part          parcel 0, as far as it has come; 0.part.mark is the server's version mark
        1.whole         parcel 1, complete and verified, not yet unpacked
        files/          complete files under their final names

What has a name without ``.part`` is complete, so that a download goes on after any break.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from jan_host.contract.errors import ConflictError
from jan_host.downloads.locking import lock
from jan_host.downloads.parcels import Parcel


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

    def is_staged(self, parcel: Parcel) -> bool:
        """Whether everything that the parcel brings is complete."""
        return all(self.staging.joinpath(asset.filename).is_file() for asset in parcel.assets)

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

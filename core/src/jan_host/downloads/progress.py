"""How far a download is, told to the host a few times a second."""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from jan_host.contract.events import DownloadEvent, DownloadInfo

INTERVAL_SECONDS = 0.2

Publish = Callable[[DownloadEvent], None]


class Progress:
    """Adds up what the parcels of a download have received, and publishes it.

    Args:
        info: Kept up to date in place.
        publish: Told at most five times a second, and at every change of the status.
    """

    def __init__(self, info: DownloadInfo, publish: Publish) -> None:
        self.info = info
        self._publish = publish
        self._received: list[int] = []
        self._totals: list[int | None] = []
        self._told = 0.0
        self._later: asyncio.TimerHandle | None = None

    def begin(self, totals: Sequence[int | None]) -> None:
        """A run starts; `totals` are the sizes of its parcels in bytes."""
        self._received = [0] * len(totals)
        self._totals = list(totals)
        self.info.error = None
        self._sum()
        self.status("running")

    def received(self, parcel: int, count: int) -> None:
        """So many bytes of a parcel are here now."""
        self._received[parcel] = count
        self._sum()
        if self._later is None:
            wait = max(0.0, self._told + INTERVAL_SECONDS - time.monotonic())
            self._later = asyncio.get_running_loop().call_later(wait, self._tell)

    def total(self, parcel: int, count: int) -> None:
        """A parcel's size turned out to be this."""
        self._totals[parcel] = count
        self._sum()

    def status(self, status: str, error: str | None = None) -> None:
        """The download began or ended."""
        self.info.status = status
        self.info.error = error
        self._tell()

    def snapshot(self) -> DownloadInfo:
        """The state now, as a value that does not change any more."""
        return msgspec.structs.replace(self.info)

    def _sum(self) -> None:
        self.info.received = sum(self._received)
        known = [total for total in self._totals if total is not None]
        self.info.total = sum(known) if len(known) == len(self._totals) else None

    def _tell(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._told = time.monotonic()
        self._publish(DownloadEvent(download=self.snapshot()))

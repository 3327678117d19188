"""How far a download is, told to the host a few times a second."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from jan_host.contract.events import DownloadEvent, DownloadInfo, FileProgress
from jan_host.downloads.ledger import Ledger
from jan_host.downloads.parcels import Parcel

INTERVAL_SECONDS = 0.2
WINDOW_SECONDS = 5.0
"""The speed is the mean over so long."""
_SHORTEST_SECONDS = 0.5

Publish = Callable[[DownloadEvent], None]


class Progress:
    """Adds up what the parcels of a download have received, and publishes it.

    Args:
        info: Kept up to date in place; `files` is filled here.
        parcels: What is fetched.
        publish: Told at most five times a second, and at every change of the status.
    """

    def __init__(self, info: DownloadInfo, parcels: Sequence[Parcel], publish: Publish) -> None:
        self.info = info
        self._publish = publish
        self._parcels = parcels
        self._ledgers: dict[int, Ledger] = {}
        earlier = {file.filename: file for file in info.files}
        self._files = [
            [earlier.get(name) or FileProgress(filename=name, total=parcel.size) for name in parcel.names]
            for parcel in parcels
        ]
        self._speeds: deque[tuple[float, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._told: DownloadInfo | None = None
        info.files = [file for files in self._files for file in files]
        self._sum()

    def begin(self, status: str) -> None:
        """A run starts."""
        self._ledgers.clear()
        self._speeds.clear()
        for index in range(len(self._parcels)):
            self.file(index, "waiting")
        self.status(status)

    def watch(self, parcel: int, ledger: Ledger) -> None:
        """A parcel is on its way, and this tells how far."""
        self._ledgers[parcel] = ledger
        self.file(parcel, "running")

    def file(self, parcel: int, status: str) -> None:
        """What happens to a parcel's files now."""
        for file in self._files[parcel]:
            file.status = status

    def done(self, parcel: int, size: int | None) -> None:
        """A parcel is complete; `size` is its size in bytes, when it is known."""
        ledger = self._ledgers.get(parcel)
        if size is None and ledger is not None:
            size = ledger.size
        for file in self._files[parcel]:
            file.status = "done"
            file.received = file.total = file.received if size is None else size

    def status(self, status: str, error: str | None = None) -> None:
        """The download began or ended."""
        self.info.status = status
        self.info.error = error
        if status in ("failed", "cancelled"):
            for file in self.info.files:
                if file.status != "done":
                    file.status = "failed" if status == "failed" else "waiting"
        if not self.info.active:
            self._speeds.clear()
        self._tell()

    def snapshot(self) -> DownloadInfo:
        """The state now, as a value that does not change any more."""
        self._sum()
        files = [msgspec.structs.replace(file) for file in self.info.files]
        return msgspec.structs.replace(self.info, files=files)

    def _sum(self) -> None:
        for index, ledger in self._ledgers.items():
            for file in self._files[index]:
                if file.status != "done":
                    file.received, file.total = ledger.received, ledger.size
        heads = [files[0] for files in self._files]
        self.info.received = sum(file.received for file in heads)
        totals = [file.total for file in heads]
        known = [total for total in totals if total is not None]
        self.info.total = sum(known) if len(known) == len(totals) else None
        self._estimate()

    def _estimate(self) -> None:
        """The speed over the last seconds, and the time left at that speed."""
        self.info.bytes_per_second = self.info.seconds_left = None
        if len(self._speeds) < 2 or self._speeds[-1][0] - self._speeds[0][0] < _SHORTEST_SECONDS:
            return
        (began, before), (now, after) = self._speeds[0], self._speeds[-1]
        speed = self.info.bytes_per_second = round((after - before) / (now - began))
        if speed and self.info.total is not None:
            self.info.seconds_left = round(max(0, self.info.total - self.info.received) / speed)

    def _measure(self) -> None:
        now = time.monotonic()
        self._speeds.append((now, sum(ledger.fetched for ledger in self._ledgers.values())))
        while self._speeds[0][0] < now - WINDOW_SECONDS:
            self._speeds.popleft()

    def _tick(self) -> None:
        """Look how far everything is, and say so when it is news."""
        self._measure()
        now = self.snapshot()
        if now != self._told:
            self._told = now
            self._publish(DownloadEvent(download=now))
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._tick)

    def _tell(self) -> None:
        """Say it at once; the next time is a while later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._told = self.snapshot()
        self._publish(DownloadEvent(download=self._told))
        if self.info.active:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._tick)

"""One parcel over HTTP: over several connections, with resume after a break."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from jan_host.contract.errors import DownloadError
from jan_host.downloads import answers
from jan_host.downloads.connection import Answer
from jan_host.downloads.ledger import ENDLESS, Segment
from jan_host.downloads.manners import Manners
from jan_host.downloads.parcels import Parcel
from jan_host.downloads.partial import PartialFile
from jan_host.downloads.receiving import receive
from jan_host.downloads.retries import ChangedError, Failures, TransientError
from jan_host.downloads.threads import ResultT, in_thread
from jan_host.downloads.transport import Source

MOST_RESTARTS = 3
SEGMENT_SECONDS = 3.0
"""A segment is as long as a connection needs so many seconds for, so that asking costs little;"""
LONGEST_SEGMENT = 8
"""and so many times the shortest at most: the hash follows the front, and must not fall far behind."""
FAST_BYTES_PER_SECOND = 150_000_000
"""A connection that is faster than this is not what holds a transfer up."""


class Fetch:
    """The transfer of one parcel into its partial file.

    Args:
        parcel: What to fetch.
        partial: Where to.
        source: Where from.
        manners: How.
        check_space: Told, now and then, how many bytes are still to come; may raise `InsufficientDiskError`.
    """

    def __init__(
        self,
        *,
        parcel: Parcel,
        partial: PartialFile,
        source: Source,
        manners: Manners,
        check_space: Callable[[int], None],
    ) -> None:
        self._parcel = parcel
        self._partial = partial
        self._ledger = partial.ledger
        self._source = source
        self._manners = manners
        self._check_space = check_space
        self._ranges: bool | None = None
        """Whether the server sends parts; ``None`` until it was seen."""
        self._width = manners.connections_per_file
        self._want = manners.segment_bytes
        self._helpers: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        """Set when a helper has let go of a segment."""

    async def run(self) -> None:
        """Bring the whole parcel.

        Raises:
            OriginNotFoundError: The server has no such file.
            DownloadError: The server refused, or the connection broke too often.
            InsufficientDiskError: What is to come does not fit.
            OSError: The disk failed.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._in_thread(self._partial.absorb, self._partial.let_go))
                writeback = self._partial.writeback
                beside = [
                    group.create_task(self._save_often()),
                    group.create_task(self._widen(group)),
                    group.create_task(self._in_thread(writeback.work, writeback.stop)),
                ]
                await self._fetch_all()
                for task in [*beside, *self._helpers]:
                    task.cancel()
                self._partial.wake()
                await self._in_thread(self._partial.flush)  # while the last of it is hashed
        except ExceptionGroup as failures:
            if isinstance(failures.exceptions[0], answers.WrongSizeError):
                await self._in_thread(self._partial.restart)
            raise failures.exceptions[0] from None
        finally:
            if not self._ledger.complete:
                with contextlib.suppress(OSError):  # a full disk: the note before this one still holds
                    await self._in_thread(self._partial.save)

    async def _fetch_all(self) -> None:
        failures, restarts = Failures(self._manners.retries, self._ledger.received), 0
        while not self._ledger.complete:
            if self._ledger.received and not self._can_go_on():
                await self._start_over()
            segment = self._ledger.claim(self._want)
            if segment is None:  # all that is left is on its way over other connections
                self._moved.clear()
                await self._moved.wait()
                continue
            try:
                await self._fetch(segment)
            except ChangedError:
                restarts += 1
                if restarts > MOST_RESTARTS:
                    raise DownloadError(
                        f"{self._parcel.label} changes at its origin again and again while it is fetched."
                        " Try again later, or take it from another origin."
                    ) from None
                await self._start_over()
            except TransientError as error:
                if not failures.add(self._ledger.received):
                    raise DownloadError(
                        f"{self._parcel.label} could not be fetched: {error}, {failures.count} times"
                        " in a row. What has come is kept: resume the download later, or check the"
                        " connection."
                    ) from None
                await asyncio.sleep(self._manners.retries.pause(failures.count, error.retry_after))

    def _can_go_on(self) -> bool:
        """Whether a rest can be had, and could be told from a rest of something else."""
        return self._ranges is not False and (self._partial.mark is not None or self._hash_is_known())

    async def _start_over(self) -> None:
        for helper in self._helpers:
            helper.cancel()
        if self._helpers:
            await asyncio.wait(self._helpers)
        await self._in_thread(self._partial.restart)

    async def _fetch(self, segment: Segment) -> None:
        """One request for as much of the segment as comes."""
        began, before = time.monotonic(), segment.position
        try:
            async with self._manners.gate.connection(self._source.host):
                answer = await self._source.open(self._range(segment))
                try:
                    self._check(answer, segment)
                    await self._in_thread(
                        lambda: receive(answer, segment, self._partial, self._manners.throttle),
                        answer.connection.stop,
                    )
                finally:
                    self._source.done(answer)
        finally:
            self._ledger.release(segment)
            self._moved.set()
        rate = (segment.position - before) / max(time.monotonic() - began, 1e-3)
        least = self._manners.segment_bytes
        self._want = max(least, min(LONGEST_SEGMENT * least, int(rate * SEGMENT_SECONDS)))

    def _range(self, segment: Segment) -> dict[str, str]:
        size = ENDLESS if self._ledger.size is None else self._ledger.size
        if segment.position == 0 and segment.end >= size:
            return {}
        last = "" if segment.end >= size else str(segment.end - 1)
        guard = {"if-range": self._partial.mark} if self._partial.mark else {}
        return {"range": f"bytes={segment.position}-{last}", **guard}

    def _check(self, answer: Answer, segment: Segment) -> None:
        """See to it that the body can be appended to the segment, and learn what the head tells."""
        answers.check_status(answer, self._parcel.label)
        answers.check_encoding(answer, self._parcel.label)
        mark, known = answers.mark_of(answer.headers), self._partial.mark
        bounded = bool(self._range(segment))
        if answer.status == 206 or answer.headers.get("accept-ranges") == "bytes":
            self._ranges = True if self._ranges is None else self._ranges
        if answer.status == 200 and bounded:
            self._ranges = False if mark == known else self._ranges
            raise ChangedError
        if known is not None and mark not in (None, known) and self._ledger.received:
            raise ChangedError
        self._learn_size(answers.check_place(answer, segment.position))
        self._partial.mark = mark or known

    def _learn_size(self, total: int | None) -> None:
        """Hold the size that the server tells against the plan's, before anything is written."""
        if total is None or total == self._ledger.size:
            return
        if self._parcel.size is not None:
            raise answers.wrong_size(self._parcel, f"{total} bytes")
        if self._ledger.size is not None and self._ledger.received:
            raise ChangedError
        self._ledger.end_at(total)
        self._check_space(total)

    async def _widen(self, group: asyncio.TaskGroup) -> None:
        """Add connections, as long as there is enough left for them."""
        while True:
            before, seconds = self._ledger.fetched, self._manners.widen_seconds
            await asyncio.sleep(seconds)
            if self._ledger.fetched - before >= FAST_BYTES_PER_SECOND * seconds:
                continue
            if len(self._helpers) + 1 < self._width and self._may_split():
                helper = group.create_task(self._help())
                self._helpers.add(helper)
                helper.add_done_callback(self._helpers.discard)

    def _may_split(self) -> bool:
        """Whether parts that come apart are sure to be of one version, and there are parts to be had."""
        sure = self._hash_is_known() or (self._partial.mark or "").startswith('"')
        asked = self._ranges is True and self._ledger.size is not None
        return sure and asked and self._manners.gate.has_room(self._source.host) and self._ledger.splits()

    async def _help(self) -> None:
        """Fetch segments beside the first connection; whatever goes wrong is left to that one."""
        try:
            while not self._manners.gate.is_awaited():
                segment = self._ledger.claim(self._want)
                if segment is None:
                    return
                await self._fetch(segment)
        except TransientError as error:
            if error.refused:
                self._width = max(1, self._width - 1)
        except (ChangedError, DownloadError):
            self._width = 1

    async def _save_often(self) -> None:
        """Note what is on disk, every few seconds."""
        saved = self._ledger.fetched
        while True:
            await asyncio.sleep(self._manners.save_seconds)
            if self._ledger.fetched > saved:
                saved = self._ledger.fetched
                await self._in_thread(self._partial.save)
                if self._ledger.size is not None:
                    self._check_space(self._ledger.size - self._ledger.received)

    def _hash_is_known(self) -> bool:
        return self._parcel.sha256 is not None or self._parcel.git_sha1 is not None

    async def _in_thread(
        self, work: Callable[[], ResultT], stop: Callable[[], None] = lambda: None
    ) -> ResultT:
        return await in_thread(self._manners.dialer.executor, work, stop)

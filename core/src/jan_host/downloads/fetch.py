"""One parcel over HTTP: with resume after a break, and as many tries as make sense."""

import asyncio
import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jan_host.contract.errors import DownloadError, OriginNotFoundError
from jan_host.downloads.headers import reveal
from jan_host.downloads.parcels import Parcel
from jan_host.downloads.partial import PartialFile
from jan_host.downloads.transport import open_stream

if TYPE_CHECKING:
    import httpx

CHUNK_BYTES = 1 << 20
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how soon a broken transfer is tried again.

    Tries count only while nothing new comes: each new MiB gives all of them back.
    """

    tries: int = 5
    first_seconds: float = 0.5
    most_seconds: float = 20.0

    def pause(self, failures: int, asked: float | None) -> float:
        """Seconds to wait: doubled each time, with jitter, and as long as the server asked."""
        backoff = math.ldexp(self.first_seconds, failures - 1) * random.uniform(0.5, 1.5)
        return min(max(backoff, asked or 0.0), self.most_seconds)


class _TransientError(Exception):
    """The server failed in a way that may pass."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """The transfer of one parcel into its partial file.

    `on_total` is told the size once it is known (it may raise `InsufficientDiskError`),
    `on_received` what has come, both in bytes.
    """

    parcel: Parcel
    partial: PartialFile
    client: "httpx.AsyncClient"
    environ: Mapping[str, str]
    retries: Retries
    on_total: Callable[[int], None]
    on_received: Callable[[int], None]

    async def run(self) -> None:
        """Bring the whole parcel.

        Raises:
            OriginNotFoundError: The server has no such file.
            DownloadError: The server refused, or the connection broke too often.
        """
        import httpx

        furthest, failures = self.partial.length, 0
        while not self._complete():
            reason, asked = "", None
            try:
                await self._attempt()
                return
            except _TransientError as error:
                reason, asked = str(error), error.retry_after
            except httpx.TransportError as error:
                reason = _describe(error)
            failures += 1
            if self.partial.length >= furthest + CHUNK_BYTES:
                furthest, failures = self.partial.length, 1
            if failures >= self.retries.tries:
                raise DownloadError(
                    f"{self.parcel.label} could not be fetched: {reason}, {failures} times in a row."
                    " What has come is kept: resume the download later, or check the connection."
                )
            await asyncio.sleep(self.retries.pause(failures, asked))

    def _complete(self) -> bool:
        return self.parcel.size is not None and self.partial.length == self.parcel.size

    async def _attempt(self) -> None:
        """One request: from where we are, if what lies here can be trusted, else from the start."""
        assert self.parcel.url is not None
        headers = reveal(self.parcel.assets[0].headers, self.environ)
        self._distrust()
        async with open_stream(self.client, self.parcel.url, headers, self._range()) as response:
            self._check_status(response)
            self._place_start(response)
            self._check_length(response)
            await self._receive(response)
        self._check_end()

    def _distrust(self) -> None:
        """Start over when a rest could not be told from a rest of something else."""
        size = self.parcel.size
        unknown = self.partial.mark is None and self.parcel.sha256 is None
        if unknown or (size is not None and self.partial.length > size):
            self.partial.restart()

    def _range(self) -> dict[str, str]:
        if not self.partial.length:
            return {}
        mark = self.partial.mark
        guard = {"If-Range": mark} if mark else {}
        return {"Range": f"bytes={self.partial.length}-", **guard}

    def _check_status(self, response: "httpx.Response") -> None:
        code = response.status_code
        if code in (200, 206):
            return
        label = self.parcel.label
        if code in _TRANSIENT:
            raise _TransientError(f"the server answered {code}", _retry_after(response))
        if code == 416 and self.partial.length:
            self.partial.restart()
            raise _TransientError("the server no longer has the version that was begun")
        if code in (401, 403):
            raise DownloadError(
                f"The server refused {label} ({code}). Check that you may read it, and the token or password."
            )
        if code in (404, 410):
            raise OriginNotFoundError(f"{label} is not there ({code}). Check the origin, or plan it again.")
        raise DownloadError(f"The server answered {code} for {label}. Try again later, or check the origin.")

    def _place_start(self, response: "httpx.Response") -> None:
        """Make sure that the body begins where the partial file ends."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise DownloadError(
                f"The server sends {self.parcel.label} compressed, though it was asked not to."
                " It can't be verified; take it from another origin."
            )
        mark = _mark_of(response)
        if response.status_code == 200:
            self.partial.restart()
        elif not self._continues(response, mark):
            self.partial.restart()
            raise _TransientError("the server sent another part than it was asked for")
        if response.status_code == 200:
            self.partial.mark = mark

    def _continues(self, response: "httpx.Response", mark: str | None) -> bool:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        known = self.partial.mark
        same_version = known is None or mark in (None, known)
        return match is not None and int(match[1]) == self.partial.length and same_version

    def _check_length(self, response: "httpx.Response") -> None:
        """Hold the size that the server tells against the plan's, before anything is written."""
        length = response.headers.get("content-length", "")
        if not length.isdecimal():
            return
        total = self.partial.length + int(length)
        if self.parcel.size is not None and total != self.parcel.size:
            self._refuse_size(f"{total} bytes")
        self.on_total(total)

    async def _receive(self, response: "httpx.Response") -> None:
        """Write the body in large pieces; when it breaks off, what has come is written all the same."""
        pending = bytearray()
        try:
            async for chunk in response.aiter_raw():
                pending += chunk
                received = self.partial.length + len(pending)
                if self.parcel.size is not None and received > self.parcel.size:
                    pending.clear()
                    self._refuse_size("more")
                self.on_received(received)
                if len(pending) >= CHUNK_BYTES:
                    full, pending = pending, bytearray()
                    await asyncio.to_thread(self.partial.append, full)
        finally:
            self.partial.append(pending)

    def _check_end(self) -> None:
        size = self.parcel.size
        if size is not None and self.partial.length < size:
            raise _TransientError(f"the connection ended after {self.partial.length} of {size} bytes")

    def _refuse_size(self, what: str) -> None:
        self.partial.restart()
        raise DownloadError(
            f"{self.parcel.label} should have {self.parcel.size} bytes, and the server sends {what}: refused."
            " The file has changed at its origin; plan the pull again."
        )


def _mark_of(response: "httpx.Response") -> str | None:
    """A strong ETag, or the date of the last change; a weak ETag promises no equal bytes."""
    tag: str = response.headers.get("etag", "")
    date: str | None = response.headers.get("last-modified")
    return tag if tag.startswith('"') else date


def _retry_after(response: "httpx.Response") -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _describe(error: "httpx.TransportError") -> str:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return "the server did not answer in time"
    if isinstance(error, httpx.ConnectError):
        return f"no connection ({error})" if str(error) else "no connection"
    return "the connection broke"

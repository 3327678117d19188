"""The bytes of an answer, with ranges, and with the faults that were asked for."""

import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from tests.hub.content import Content
from tests.hub.faults import Fault

if TYPE_CHECKING:
    from tests.hub.hub import Hub, Seen

SLICE = 64 << 10


class Sending(BaseHTTPRequestHandler):
    """A handler that sends files."""

    entry: "Seen"

    @property
    def hub(self) -> "Hub":
        raise NotImplementedError

    def tell(self) -> None:
        """Wake those who wait for a request or for bytes."""
        with self.hub.changed:
            self.hub.changed.notify_all()

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """A whole answer."""
        self.entry.status = status
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_content(self, file: str, content: Content, fault: Fault, headers: dict[str, str]) -> None:
        """A file or a range of it."""
        self.entry.file = file
        if self.command == "GET":
            fault.answers += 1
            if fault.statuses:
                retry = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
                return self.send(fault.statuses.pop(0), b"", retry)
            if fault.changed is not None and fault.answers > 1:
                content = fault.changed
                headers = {**headers, "ETag": f'"{content.sha256[:32]}"'}
        if fault.without_etag:
            headers = {name: value for name, value in headers.items() if name != "ETag"}
        wanted = None if fault.without_ranges else self._range(content.size, headers.get("ETag"))
        if wanted is not None and wanted[0] >= wanted[1]:
            return self.send(416, b"", {**headers, "Content-Range": f"bytes */{content.size}"})
        start, end = wanted or (0, content.size)
        self._send_head(content.size, start, end, fault, headers, partial=wanted is not None)
        if self.command == "HEAD":
            return None
        late = fault.wrong_range if wanted is not None else 0
        return self._send_body(content, min(start + late, end), end, fault)

    def _range(self, size: int, etag: str | None) -> tuple[int, int] | None:
        """The bytes that are asked for, or ``None`` for all of them."""
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.entry.headers.get("range", ""))
        guard = self.entry.headers.get("if-range")
        if match is None or match[0] == "bytes=-" or (guard is not None and guard != etag):
            return None
        if not match[1]:
            return max(0, size - int(match[2])), size
        return int(match[1]), min(size, int(match[2]) + 1) if match[2] else size

    def _send_head(
        self, size: int, start: int, end: int, fault: Fault, headers: dict[str, str], *, partial: bool
    ) -> None:
        self.entry.status = 206 if partial else 200
        self.send_response(self.entry.status)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        length = end - start if partial or fault.content_length is None else fault.content_length
        if fault.without_length:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
            if length != end - start:
                self.close_connection = True
        for name, value in {"Content-Type": "application/octet-stream", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, content: Content, start: int, end: int, fault: Fault) -> None:
        self.entry.start = start
        cut = fault.cuts.pop(0) if fault.cuts else fault.cut_every
        if cut is not None and cut < end - start:
            self.close_connection = True
            end = start + cut
        try:
            for chunk in _damaged(content.read(start, end), start, end, fault):
                self._send_chunk(chunk, fault)
        except OSError:  # the client has gone
            self.close_connection = True

    def _send_chunk(self, chunk: bytes | memoryview, fault: Fault) -> None:
        for piece in _pieces(chunk, self.entry.sent, fault):
            if fault.stall_at is not None and self.entry.sent >= fault.stall_at and not fault.gate.is_set():
                fault.stalled.set()
                fault.gate.wait(120)
            # Counted first: a client that has the last byte finds it counted.
            self.entry.sent += len(piece)
            try:
                self.wfile.write(piece)
            except OSError:
                self.entry.sent -= len(piece)
                raise
            self.tell()
            if fault.bytes_per_second:
                time.sleep(len(piece) / fault.bytes_per_second)


def _pieces(chunk: bytes | memoryview, sent: int, fault: Fault) -> Iterator[bytes | memoryview]:
    """The chunk, cut where a fault has to look."""
    if fault.stall_at is not None and 0 < fault.stall_at - sent < len(chunk):
        here = fault.stall_at - sent
        yield chunk[:here]
        chunk = chunk[here:]
    if not fault.bytes_per_second:
        yield chunk
        return
    step = min(SLICE, max(1, fault.bytes_per_second // 20))
    for offset in range(0, len(chunk), step):
        yield chunk[offset : offset + step]


def _damaged(
    chunks: Iterator[bytes | memoryview], start: int, end: int, fault: Fault
) -> Iterator[bytes | memoryview]:
    """The chunks, with one byte wrong if the fault says so."""
    hits = [offset for offset in fault.corrupt_at[:1] if start <= offset < end]
    if hits:
        fault.corrupt_at.pop(0)
    for chunk in chunks:
        if hits and start <= hits[0] < start + len(chunk):
            wrong = bytearray(chunk)
            wrong[hits[0] - start] ^= 0xFF
            yield bytes(wrong)
        else:
            yield chunk
        start += len(chunk)

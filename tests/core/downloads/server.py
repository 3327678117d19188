"""A real HTTP server on loopback that serves files and fails in the ways that servers fail."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Resource:
    """A file, and the ways in which it fails, in the order in which requests meet them."""

    body: bytes = b""
    etag: str | None = '"v1"'
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answered to the first requests, in place of the file."""
    cuts: list[int] = field(default_factory=list)
    """The first connections end after so many bytes of body."""
    location: str | None = None
    """Where it redirects to."""
    retry_after: str | None = None
    gate: threading.Event | None = None
    """The rest of the body, from `hold_at`, waits for it."""
    hold_at: int = 0
    length: bool = True
    """Whether the answer has a Content-Length."""
    encoding: str | None = None
    seen: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request, names in lower case."""


class FileServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.resources: dict[str, Resource] = {}

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is what some tests are about."""

    def url(self, path: str, userinfo: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{userinfo}{host}:{self.server_address[1]}{path}"

    def add(self, path: str, body: bytes = b"", **how: Any) -> Resource:
        self.resources[path] = Resource(body, **how)
        return self.resources[path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        resource = self.server.resources.get(self.path.partition("?")[0])
        if resource is None:
            return self._answer(404)
        resource.seen.append({name.lower(): value for name, value in self.headers.items()})
        if resource.statuses:
            return self._answer(resource.statuses.pop(0), resource)
        if resource.location is not None:
            return self._answer(302, resource)
        return self._send_file(resource)

    def _answer(self, status: int, resource: Resource | None = None) -> None:
        self.send_response(status)
        if resource is not None and resource.location is not None:
            self.send_header("Location", resource.location)
        if resource is not None and resource.retry_after is not None:
            self.send_header("Retry-After", resource.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_file(self, resource: Resource) -> None:
        start = self._start(resource)
        if start >= len(resource.body) > 0:
            return self._answer(416)
        self.send_response(206 if start else 200)
        if start:
            size = len(resource.body)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if resource.etag is not None:
            self.send_header("ETag", resource.etag)
        if resource.encoding is not None:
            self.send_header("Content-Encoding", resource.encoding)
        if resource.length:
            self.send_header("Content-Length", str(len(resource.body) - start))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        return self._send_body(resource, resource.body[start:])

    def _start(self, resource: Resource) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        guard = self.headers.get("If-Range")
        if match is None or not resource.ranges or (guard is not None and guard != resource.etag):
            return 0
        return int(match[1])

    def _send_body(self, resource: Resource, body: bytes) -> None:
        try:
            if resource.cuts:
                self.wfile.write(body[: resource.cuts.pop(0)])
                self.close_connection = True
                return
            if resource.gate is not None:
                self.wfile.write(body[: resource.hold_at])
                self.wfile.flush()
                resource.gate.wait(30)
                body = body[resource.hold_at :]
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


@contextmanager
def file_server() -> Iterator[FileServer]:
    """A server that runs until the block ends."""
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        for resource in server.resources.values():
            if resource.gate is not None:
                resource.gate.set()
        server.shutdown()
        server.server_close()
        thread.join(10)

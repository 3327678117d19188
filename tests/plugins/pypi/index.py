"""A real package index on loopback, with wheels that the tests zip themselves."""

import base64
import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

METADATA = """\
Metadata-Version: 2.4
Name: {name}
Version: {version}
Summary: A model for tests
Author-email: A. Writer <writer@example.org>
License-Expression: MIT
Keywords: tiny,test
{more}
"""


def wheel(
    name: str, files: Mapping[str, bytes], *, version: str = "1.0", requires: tuple[str, ...] = ()
) -> bytes:
    """A wheel as pip accepts it."""
    buffer = io.BytesIO()
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    more = "\n".join(f"Requires-Dist: {requirement}" for requirement in requires)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        metadata = METADATA.format(name=name, version=version, more=more)
        archive.writestr(f"{info}/METADATA", metadata.strip() + "\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


class Index(ThreadingHTTPServer):
    """Serves PEP 503 pages. With `password`, only to those who say it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheels: dict[str, bytes] = {}
        self.yanked: set[str] = set()
        self.ranges = True
        self.password: str | None = None
        self.sent: list[tuple[str, int]] = []
        """Path and bytes of each answer."""

    def add(self, name: str, files: Mapping[str, bytes], version: str = "1.0", **more: object) -> bytes:
        body = wheel(name, files, version=version, **more)  # type: ignore[arg-type]  # `requires` alone
        self.wheels[f"{name.replace('-', '_')}-{version}-py3-none-any.whl"] = body
        return body

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}127.0.0.1:{self.server_address[1]}/simple"

    def page(self, project: str) -> bytes:
        links = []
        for filename, body in self.wheels.items():
            if filename.partition("-")[0].replace("_", "-") == project:
                yanked = " data-yanked=''" if filename in self.yanked else ""
                digest = hashlib.sha256(body).hexdigest()
                links.append(f'<a href="/files/{filename}#sha256={digest}"{yanked}>{filename}</a>')
        return ("<!DOCTYPE html><html><body>" + "".join(links) + "</body></html>").encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Index

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        expected = base64.b64encode(f"me:{self.server.password}".encode()).decode()
        if self.server.password and self.headers.get("Authorization") != f"Basic {expected}":
            return self._send(401, b"", "text/plain")
        if self.path.startswith("/files/"):
            return self._send_wheel(self.server.wheels[self.path.removeprefix("/files/")])
        project = self.path.strip("/").rpartition("/")[2]
        page = self.server.page(project)
        return self._send(200 if b"href" in page else 404, page, "text/html")

    def _send_wheel(self, body: bytes) -> None:
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if match is None or not self.server.ranges:
            return self._send(200, body, "application/octet-stream")
        size = len(body)
        start = int(match[1]) if match[1] else max(0, size - int(match[2]))
        end = int(match[2]) if match[1] and match[2] else size - 1
        return self._send(
            206, body[start : end + 1], "application/octet-stream", f"bytes {start}-{end}/{size}"
        )

    def _send(self, status: int, body: bytes, kind: str, content_range: str | None = None) -> None:
        self.server.sent.append((self.path, len(body)))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if content_range is not None:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def package_index() -> Iterator[Index]:
    """An index that runs until the block ends."""
    index = Index()
    thread = threading.Thread(target=index.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.shutdown()
        index.server_close()
        thread.join(10)

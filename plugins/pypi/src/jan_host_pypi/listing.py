"""What a wheel holds, from the directory at its end: a few kilobytes of a large file."""

import asyncio
import contextlib
import io
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from jan_host import ImportFailedError

from jan_host_pypi.window import BeforeWindowError, Window

if TYPE_CHECKING:
    import httpx

FIRST_BYTES = 64 << 10
"""How much of the end is asked for at first."""
MOST_BYTES = 32 << 20
"""The largest directory that is read."""

MOST_MANIFEST_BYTES = 64 << 10

_MANIFEST = re.compile(r"(^|/)sha256sums(\.txt)?$", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class RefusedError(Exception):
    """The server wants to know who asks (401 or 403)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a wheel holds, and its own size in bytes."""

    sizes: dict[str, int]
    """Its files: each one's path in the wheel, and its unpacked size in bytes."""
    size: int
    manifests: dict[str, str]
    """The files ``SHA256SUMS`` among them, as far as they lie in what was read."""


def local_path(url: str) -> Path | None:
    """The file that a ``file:`` URL names, or ``None`` for other URLs."""
    parts = urlsplit(url)
    return Path(url2pathname(unquote(parts.path))) if parts.scheme == "file" else None


async def list_wheel(url: str) -> Listing:
    """The members of a wheel. With ``user:password@`` in the URL, these are sent.

    Raises:
        RefusedError: The server refuses.
        ImportFailedError: The wheel can't be reached, or is damaged.
    """
    path = local_path(url)
    try:
        if path is not None:
            return await asyncio.to_thread(_list_file, path)
        return await _list_remote(url)
    except zipfile.BadZipFile as error:
        raise ImportFailedError(
            f"The wheel {_name(url)} is damaged ({error}). Try another version, or tell its publisher."
        ) from None
    except OSError as error:
        raise ImportFailedError(f"The wheel {_name(url)} can't be read: {error.strerror or error}.") from None


def _list_file(path: Path) -> Listing:
    with zipfile.ZipFile(path) as archive:
        return _listing(archive, path.stat().st_size)


async def _list_remote(url: str) -> Listing:
    import httpx

    trust = httpx.create_ssl_context()
    trust.load_default_certs()  # pip trusts the system's certificates too
    try:
        async with httpx.AsyncClient(
            verify=trust,
            follow_redirects=True,
            max_redirects=10,
            timeout=60,
            headers={"Accept-Encoding": "identity", "User-Agent": "jan-host"},
        ) as client:
            return await _read_end(client, url, FIRST_BYTES)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ImportFailedError(
            f"The package index named the wheel {_name(url)}, and it can't be reached"
            f" ({type(error).__name__}). Check the network and try again."
        ) from None


async def _read_end(client: "httpx.AsyncClient", url: str, count: int) -> Listing:
    """List by the last `count` bytes; by more when the directory is longer, by all without ranges."""
    async with client.stream("GET", url, headers={"Range": f"bytes=-{count}"}) as response:
        if response.status_code in (401, 403):
            raise RefusedError
        response.raise_for_status()
        match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if response.status_code != 206 or match is None:
            return await _read_all(response)
        tail, size = await response.aread(), int(match[3])
    try:
        with zipfile.ZipFile(_as_file(tail, size)) as archive:
            return _listing(archive, size)
    except BeforeWindowError as error:
        needed = size - error.offset
    if not count < needed <= MOST_BYTES:
        raise ImportFailedError(f"The directory of the wheel {_name(url)} is too large to be read.")
    return await _read_end(client, url, needed)


def _as_file(tail: bytes, size: int) -> IO[bytes]:
    return Window(tail, size)  # type: ignore[return-value]  # zipfile needs read, seek and tell alone


async def _read_all(response: "httpx.Response") -> Listing:
    """For servers without ranges: the whole wheel, into a temporary file."""
    with tempfile.TemporaryFile() as file:
        async for chunk in response.aiter_bytes(1 << 20):
            await asyncio.to_thread(file.write, chunk)
        with zipfile.ZipFile(file) as archive:
            return _listing(archive, file.seek(0, io.SEEK_END))


def _listing(archive: zipfile.ZipFile, size: int) -> Listing:
    members = [member for member in archive.infolist() if not member.is_dir()]
    manifests = {}
    for member in members:
        if _MANIFEST.search(member.filename) and member.file_size <= MOST_MANIFEST_BYTES:
            with contextlib.suppress(BeforeWindowError):
                manifests[member.filename] = archive.read(member).decode(errors="replace")
    return Listing({member.filename: member.file_size for member in members}, size, manifests)


def _name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])

"""A look at a file that lies elsewhere: what its server tells of it, and some of its bytes.

The requests keep the rules of downloads: credentials stay with their origin, private addresses are
refused where a public server leads to them.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote

from jan_host.config import DownloadsConfig
from jan_host.contract.errors import (
    DownloadError,
    ForbiddenError,
    ImportFailedError,
    JanHostError,
    OriginNotFoundError,
)
from jan_host.contract.importer import Asset, RemoteFile
from jan_host.downloads.addresses import literal, shown
from jan_host.downloads.connection import Answer
from jan_host.downloads.headers import reveal
from jan_host.downloads.manners import make_manners
from jan_host.downloads.reach import Reach, Word
from jan_host.downloads.retries import TransientError
from jan_host.downloads.threads import in_thread
from jan_host.downloads.transport import Source

SECONDS = 60.0
"""How long one look may take."""

_RANGE = re.compile(r"bytes (?:(?P<start>\d+)-\d+|\*)/(?P<total>\d+)")
_SHA256 = re.compile(r'"?(?P<digits>[0-9a-fA-F]{64})"?')
_DIGEST = re.compile(r"sha-256\s*=\s*:?(?P<base64>[A-Za-z0-9+/]{43}=)", re.IGNORECASE)
# RFC 6266: filename*=UTF-8''... goes before filename="...".
_EXTENDED_NAME = re.compile(r"filename\*\s*=\s*utf-8'[^']*'(?P<name>[^;\s]+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r'filename\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^;\s]+))', re.IGNORECASE)


class Looker:
    """Looks at remote files. Belongs to one event loop.

    Args:
        environ: Where ``env:NAME`` in headers is looked up.
        config: The proxy, time-outs, and which private addresses may be asked.
    """

    def __init__(self, environ: Mapping[str, str], config: DownloadsConfig | None = None) -> None:
        self._environ = environ
        config = config or DownloadsConfig()
        self._dialer = make_manners(config, environ).dialer
        self._reach = Reach(config.private_hosts)

    async def check_for_others(self, url: str) -> None:
        """Refuse what a client of another machine may not have this one ask: its own network.

        Raises:
            ForbiddenError: The address is private, and does not stand in ``[downloads] private_hosts``.
            ImportFailedError: It can't be read, or its name is not known.
        """
        import httpx

        try:
            parsed = httpx.URL(url)
            if not self._dialer.is_proxied(parsed):
                await self._reach.addresses(parsed, Word.SERVER)
            elif (address := literal(parsed.host)) is not None:
                self._reach.check(parsed.host, address, Word.SERVER)
        except DownloadError:
            raise ForbiddenError(
                f"{shown(url)} is inside this machine's own network, and only its own users may name it."
                f' To let others: [downloads] private_hosts = ["{parsed.host}"].'
            ) from None
        except (TransientError, httpx.InvalidURL) as error:
            raise ImportFailedError(f"{shown(url)} can't be reached ({error}). Check the address.") from None

    async def look(self, asset: Asset) -> RemoteFile:
        """What the server tells of a file, from the answer's headers alone.

        Raises:
            OriginNotFoundError: There is no such file.
            ImportFailedError: It can't be reached.
        """
        async with self._answer(asset, 0, 1) as answer:
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            return RemoteFile(
                size=_size(answer),
                filename=_filename(answer.headers),
                media_type=media_type or None,
                sha256=_sha256(answer.headers),
            )

    async def read(self, asset: Asset, start: int, count: int) -> bytes:
        """Up to `count` bytes of a file from `start` on; fewer at its end.

        Raises:
            OriginNotFoundError: There is no such file.
            ImportFailedError: It can't be reached, or the server hands out no parts of it.
        """
        async with self._answer(asset, start, count) as answer:
            if answer.status == 416:
                return b""
            found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
            begins = int(found["start"] or -1) if found and answer.status == 206 else 0
            if begins != start:
                raise ImportFailedError(f"{shown(asset.url or '')} can't be read in parts.")
            return await in_thread(
                self._dialer.executor, lambda: _read_some(answer, count), answer.connection.stop
            )

    async def close(self) -> None:
        """Close the connections."""
        self._dialer.close()

    @asynccontextmanager
    async def _answer(self, asset: Asset, start: int, count: int) -> AsyncIterator[Answer]:
        import httpx

        url = asset.url or ""
        try:
            source = Source(
                self._dialer,
                url,
                lambda: reveal(asset.headers, self._environ),
                trusted=asset.trusted,
            )
            async with asyncio.timeout(SECONDS):
                answer = await source.open({"range": f"bytes={start}-{start + count - 1}"})
                try:
                    _check_status(answer.status, url)
                    yield answer
                finally:
                    source.done(answer)
        except JanHostError as error:
            raise (
                error if isinstance(error, ImportFailedError) else ImportFailedError(error.message)
            ) from None
        except (TransientError, httpx.InvalidURL, TimeoutError) as error:
            raise ImportFailedError(
                f"{shown(url)} can't be reached ({error or 'it took too long'})."
                " Check the address and the network."
            ) from None


def _read_some(answer: Answer, count: int) -> bytes:
    """The first `count` bytes of a body, or all of it. Blocks."""
    buffer = memoryview(bytearray(count))
    filled = 0
    while filled < count and (more := answer.read_into(buffer[filled:])):
        filled += more
    return bytes(buffer[:filled])


def _check_status(status: int, url: str) -> None:
    if status in (404, 410):
        raise OriginNotFoundError(f"There is no file at {shown(url)} ({status}).", param="origin")
    if status in (401, 403):
        raise ImportFailedError(
            f"The server refuses {shown(url)} ({status}): it wants to know who asks. Name an address that"
            " may be read, or an importer that knows the site.",
            param="origin",
        )
    if status not in (200, 206, 416):
        raise ImportFailedError(
            f"The server answered {status} for {shown(url)}. Check the address, or try again later.",
            param="origin",
        )


def _size(answer: Answer) -> int | None:
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if found:
        return int(found["total"])
    encoded = answer.headers.get("content-encoding", "identity") != "identity"
    return answer.length if answer.status == 200 and not encoded else None


def _filename(headers: Mapping[str, str]) -> str | None:
    """The name in Content-Disposition, as it stands there: whoever uses it takes its last part."""
    text = headers.get("content-disposition", "")
    extended = _EXTENDED_NAME.search(text)
    if extended:
        return unquote(extended["name"])
    plain = _PLAIN_NAME.search(text)
    return (plain["quoted"] or plain["plain"]) if plain else None


def _sha256(headers: Mapping[str, str]) -> str | None:
    """The SHA-256 of the whole file, where the server tells it.

    RFC 9530: Repr-Digest; RFC 3230: Digest; hubs with large files: X-Linked-ETag. Content-Digest is of
    the part that was asked for.
    """
    linked = _SHA256.fullmatch(headers.get("x-linked-etag", ""))
    if linked:
        return linked["digits"].lower()
    for name in ("repr-digest", "digest"):
        found = _DIGEST.search(headers.get(name, ""))
        if found:
            try:
                return base64.b64decode(found["base64"], validate=True).hex()
            except binascii.Error:
                continue
    return None

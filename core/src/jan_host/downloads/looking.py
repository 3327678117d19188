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
from typing import TYPE_CHECKING
from urllib.parse import unquote

from jan_host.contract.errors import ImportFailedError, JanHostError, OriginNotFoundError
from jan_host.contract.importer import Asset, RemoteFile
from jan_host.downloads.addresses import shown
from jan_host.downloads.headers import reveal

if TYPE_CHECKING:
    import httpx

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
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

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
            if answer.status_code == 416:
                return b""
            found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
            begins = int(found["start"] or -1) if found and answer.status_code == 206 else 0
            if begins != start:
                raise ImportFailedError(f"{shown(asset.url or '')} can't be read in parts.")
            data = bytearray()
            async for chunk in answer.aiter_raw(1 << 16):
                data += chunk
                if len(data) >= count:
                    break
            return bytes(data[:count])

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @asynccontextmanager
    async def _answer(self, asset: Asset, start: int, count: int) -> AsyncIterator["httpx.Response"]:
        import httpx

        from jan_host.downloads.transport import open_stream

        url = asset.url or ""
        try:
            headers = reveal(asset.headers, self._environ)
            extra = {"Range": f"bytes={start}-{start + count - 1}"}
            async with (
                asyncio.timeout(SECONDS),
                open_stream(await self._open_client(), url, headers, extra) as answer,
            ):
                _check_status(answer.status_code, url)
                yield answer
        except JanHostError as error:
            raise (
                error if isinstance(error, ImportFailedError) else ImportFailedError(error.message)
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise ImportFailedError(
                f"{shown(url)} can't be reached ({type(error).__name__}). Check the address and the network."
            ) from None

    async def _open_client(self) -> "httpx.AsyncClient":
        from jan_host.downloads.transport import new_client

        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(new_client)
        return self._client


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


def _size(answer: "httpx.Response") -> int | None:
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if found:
        return int(found["total"])
    length = answer.headers.get("content-length", "")
    encoded = answer.headers.get("content-encoding", "identity") != "identity"
    return int(length) if answer.status_code == 200 and length.isdecimal() and not encoded else None


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

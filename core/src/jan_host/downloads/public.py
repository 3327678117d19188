"""Small files of the public network, read into memory on the word of whoever sends a request.

A request may come from anyone who can reach the server, so that it is trusted less than what a user of this
machine wants to download: nothing inside our own network is asked, however it is written and wherever a
redirect leads, but for the hosts that the operator names.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from jan_host.contract.errors import DownloadError
from jan_host.downloads.addresses import shown
from jan_host.downloads.connection import Answer
from jan_host.downloads.dialing import Dialer
from jan_host.downloads.proxies import Proxies
from jan_host.downloads.reach import Reach, Word
from jan_host.downloads.retries import TransientError
from jan_host.downloads.threads import in_thread
from jan_host.downloads.transport import Source

_THREADS: Final = 8
_PIECE: Final = 1 << 18


class PublicFile(NamedTuple):
    """A file, and what its server says it is."""

    data: bytes
    media_type: str
    """In lower case, without parameters; empty where the server does not say."""


class PublicFiles:
    """Reads small files. Belongs to one event loop.

    Args:
        private_hosts: Names, addresses and networks inside that may be asked; ``*``: all.
        proxy: As ``[downloads] proxy``. Behind one, names are the proxy's affair.
        environ: Where ``env:NAME`` is looked up.
        timeout_seconds: How long a server may be silent.
    """

    def __init__(
        self, *, private_hosts: Sequence[str], proxy: str, environ: Mapping[str, str], timeout_seconds: float
    ) -> None:
        self._dialer = Dialer(
            reach=_NobodysWord(private_hosts),
            proxies=Proxies(proxy, environ),
            executor=ThreadPoolExecutor(_THREADS, "public"),
            timeout_seconds=timeout_seconds,
        )

    async def read(self, url: str, *, most: int, kinds: Sequence[str]) -> PublicFile:
        """A whole file.

        Args:
            url: http or https.
            most: Bytes that it may have.
            kinds: The media types that are wanted.

        Raises:
            DownloadError: It is not there, too large, of another kind, or must not be asked for; says which.
            TimeoutError: The caller's time is up.
        """
        import httpx

        try:
            if httpx.URL(url).scheme not in ("http", "https"):
                raise DownloadError(f"{shown(url)} is neither http nor https.")
            source = Source(self._dialer, url, dict)
            answer = await source.open({})
        except (TransientError, httpx.InvalidURL, ValueError) as error:
            raise DownloadError(f"The address can't be reached ({error}).") from None
        try:
            media_type = _checked(answer, most, kinds)
            data = await in_thread(
                self._dialer.executor, lambda: _all_of(answer, most), answer.connection.stop
            )
        except TransientError as error:
            raise DownloadError(f"{shown(url)} broke off ({error}).") from None
        finally:
            source.done(answer)
        if len(data) > most:
            raise _too_large(most)
        return PublicFile(data, media_type)

    def close(self) -> None:
        """Close the connections."""
        self._dialer.close()


class _NobodysWord(Reach):
    """No address counts as meant by a user of this machine."""

    def check(self, host: str, address: str, word: Word) -> None:
        """Refuse every private address that the configuration does not name.

        Raises:
            DownloadError: It is one.
        """
        try:
            super().check(host, address, Word.SERVER)
        except DownloadError:
            raise DownloadError(f"{host} is inside this machine's own network: refused.") from None


def _checked(answer: Answer, most: int, kinds: Sequence[str]) -> str:
    """The media type of an answer that is what was wanted, by its head."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status != 200:
        raise DownloadError(f"The server answered {answer.status}.")
    if media_type not in kinds:
        named = media_type[:100] or "a file that it does not name"
        raise DownloadError(f"The server sends {named}, which is none of {', '.join(kinds)}.")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise DownloadError("The server sends it compressed, which was not asked for.")
    if answer.length is not None and answer.length > most:
        raise _too_large(most)
    return media_type


def _all_of(answer: Answer, most: int) -> bytes:
    """The body, or its beginning when it is longer than `most`. Blocks."""
    found = bytearray()
    piece = memoryview(bytearray(_PIECE))
    while len(found) <= most and (count := answer.read_into(piece)):
        found += piece[:count]
    return bytes(found)


def _too_large(most: int) -> DownloadError:
    return DownloadError(f"It is larger than {most} bytes.")

"""HTTP requests whose redirects are followed by hand, so that each hop can be refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jan_host.contract.errors import DownloadError
from jan_host.downloads.addresses import is_inside, keeps_credentials, literal, shown
from jan_host.downloads.connection import Answer, Connection
from jan_host.downloads.dialing import Dialer
from jan_host.downloads.headers import basic_authorization, harmless
from jan_host.downloads.reach import Word
from jan_host.downloads.retries import TransientError
from jan_host.downloads.threads import in_thread

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OURS = {"user-agent": "jan-host", "accept": "*/*", "accept-encoding": "identity"}
_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""What servers answer for a signed address whose time is over."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One request on the way: where to, and what may be told there."""

    url: "httpx.URL"
    private: Mapping[str, str]
    """Headers that stay with this origin."""
    word: Word = Word.USER
    """On whose word we come here."""

    def follow(self, location: str, *, from_inside: bool) -> "Hop":
        """The next hop.

        Args:
            location: Where to, as the answer of this one says.
            from_inside: Whether this one lies inside our own network.

        Raises:
            DownloadError: The way leads from https to http, or to something that is not HTTP.
        """
        there = self.url.join(location)
        if there.scheme not in ("http", "https"):
            raise DownloadError(
                f"{shown(str(self.url))} redirects to an address that is neither http nor https: refused."
            )
        if self.url.scheme == "https" and there.scheme == "http":
            raise DownloadError(
                f"{shown(str(self.url))} redirects from https to unencrypted http on {there.host}: refused."
                " Ask the server's operator, or name an https address."
            )
        private = self.private if keeps_credentials(self.url, there) else harmless(self.private)
        # A redirect does not choose who we are: its user and password are dropped.
        word = Word.USER if self.word is Word.USER and from_inside else Word.SERVER
        if self.word is Word.OPERATOR and there.host == self.url.host:
            word = Word.OPERATOR
        return Hop(there.copy_with(username=None, password=None), private, word)


class Source:
    """One address, asked as often as needed.

    Where it redirects to is remembered, and asked directly the next time; when that place
    refuses, since a signature's time is over, the way is gone again from its beginning.

    Args:
        dialer: Makes the connections.
        url: May hold ``user:password@``.
        headers: Gives the headers, secrets revealed; they do not follow to another origin.
        trusted: Whether the operator's configuration names the address's host.

    Raises:
        httpx.InvalidURL: `url` can't be read.
    """

    def __init__(
        self,
        dialer: Dialer,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        trusted: bool = False,
    ) -> None:
        import httpx

        self._dialer = dialer
        self._start = httpx.URL(url)
        self._headers = headers
        self._word = Word.OPERATOR if trusted else Word.USER
        self._end: Hop | None = None

    @property
    def host(self) -> str:
        """Who is asked."""
        return self._start.host

    async def open(self, extra: Mapping[str, str]) -> Answer:
        """Ask, and hand out the answer behind all redirects, its body not yet read.

        Args:
            extra: Headers that go to every hop, such as ``Range``.

        Raises:
            DownloadError: A redirect is refused, or there are more than `MAX_REDIRECTS`.
            TransientError: The connection failed.
            httpx.InvalidURL: A redirect's address can't be read.
        """
        remembered = self._end
        if remembered is not None:
            answer = await self._send(remembered, extra)
            if answer.status not in _EXPIRED and answer.status not in _REDIRECTS:
                return answer
            self._end = None
            answer.connection.close()
        return await self._walk(extra)

    def done(self, answer: Answer) -> None:
        """The answer's body is not needed any more; its connection may be."""
        if answer.finish() and not answer.connection.stopped.is_set():
            self._dialer.keep(answer.connection)
        else:
            answer.connection.close()

    def _first(self) -> Hop:
        bare = self._start.copy_with(username=None, password=None)
        return Hop(bare, {**basic_authorization(self._start), **self._headers()}, self._word)

    async def _walk(self, extra: Mapping[str, str]) -> Answer:
        hop = self._first()
        for step in range(MAX_REDIRECTS + 1):
            answer = await self._send(hop, extra)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                self._end = hop if step else None
                return answer
            try:
                hop = hop.follow(location, from_inside=self._is_inside(answer, hop.url))
            finally:
                self.done(answer)
        raise DownloadError(
            f"{shown(str(self._start))} redirects more than {MAX_REDIRECTS} times. Check the address."
        )

    def _is_inside(self, answer: Answer, url: "httpx.URL") -> bool:
        """Whether the server that answered lies inside our own network.

        Behind a proxy only the address's text can be judged; a name counts as public then.
        """
        address = literal(url.host) if self._dialer.is_proxied(url) else answer.connection.peer
        return address is not None and is_inside(address)

    async def _send(self, hop: Hop, extra: Mapping[str, str]) -> Answer:
        waiting = self._dialer.reuse(hop.url, hop.word)
        if waiting is not None:
            try:
                return await self._request(waiting, hop, extra)
            except TransientError:
                pass  # the server closed it while it waited: that tells nothing about the server
        return await self._request(await self._dialer.dial(hop.url, hop.word), hop, extra)

    async def _request(self, connection: Connection, hop: Hop, extra: Mapping[str, str]) -> Answer:
        own = {name.lower(): value for name, value in hop.private.items()}
        headers = {**_OURS, **own, **extra, "host": hop.url.netloc.decode("ascii")}
        target = hop.url.raw_path.decode("ascii")
        if connection.in_plain_sight:
            target = str(hop.url.copy_with(fragment=None))
        try:
            return await in_thread(
                self._dialer.executor, lambda: connection.request(target, headers), connection.stop
            )
        except BaseException:
            connection.close()
            raise

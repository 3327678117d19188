"""Which addresses may be connected to: public ones, and private ones that somebody here means."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from jan_host.contract.errors import DownloadError
from jan_host.downloads.addresses import is_inside, is_link_local, literal, port_of
from jan_host.downloads.retries import TransientError

if TYPE_CHECKING:
    import httpx

_HOME = (".localhost", ".local", ".lan", ".home", ".home.arpa", ".internal", ".test")
"""Ends of names that no public name server answers (RFC 6761, 6762, 8375, ICANN's .internal)."""


class Word(Enum):
    """On whose word a connection leads where it does."""

    OPERATOR = "operator"
    """The configuration names the host: it may be anywhere."""
    USER = "user"
    """It stands in what a user asked for."""
    SERVER = "server"
    """A server has sent us there: it must not be inside."""


class Resolver(Protocol):
    """A name service."""

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The IP addresses of a host; ``OSError`` when there is none."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's name service."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Reach:
    """Decides where connections may lead.

    What the operator's configuration names is reached wherever it is: the host of an asset that is
    `trusted`, and all that stands in ``[downloads] private_hosts``. An address that the user wrote is
    reached when it is public; and when it is written as an IP address, as ``localhost`` or as a name
    that only a home network knows. A public name that leads into the private network is refused: its
    owner, not the user, says where it leads. So is every private address behind a redirect of a
    public server or of a trusted one. Link-local addresses, where clouds keep their machines'
    secrets, are refused unless the configuration names them.

    Args:
        private_hosts: Names, addresses and networks that may be private; ``*``: all.
        resolver: The name service.
    """

    def __init__(self, private_hosts: Sequence[str] = (), resolver: Resolver = resolve) -> None:
        self._allowed = [each.strip().lower() for each in private_hosts]
        self._resolver = resolver

    async def addresses(self, url: "httpx.URL", word: Word) -> Sequence[str]:
        """The addresses to connect to; nobody asks the name service again before that.

        Args:
            url: What to fetch.
            word: On whose word we go there.

        Raises:
            DownloadError: One of its addresses is private, and must not be.
            TransientError: The name service does not know it, or does not answer.
        """
        try:
            found = await self._resolver(url.host, port_of(url))
        except OSError as error:
            raise TransientError(f"the name {url.host} is not known ({error.strerror})") from None
        for address in found:
            self.check(url.host, address, word)
        return found

    def check(self, host: str, address: str, word: Word) -> None:
        """Refuse a private address.

        Raises:
            DownloadError: It is one, and must not be.
        """
        if word is Word.OPERATOR or not is_inside(address) or self._is_allowed(host, address):
            return
        if word is Word.SERVER:
            raise DownloadError(
                f"The server redirected the download to {host}, which is inside this machine's own"
                " network: refused. If the file really is there, allow it:"
                f' [downloads] private_hosts = ["{host}"].'
            )
        if is_link_local(address) or not _is_private_by_name(host):
            raise DownloadError(
                f"{host} leads to {address}, an address inside this machine's own network: refused."
                f' If you trust it, allow it: [downloads] private_hosts = ["{host}"].'
            )

    def _is_allowed(self, host: str, address: str) -> bool:
        names = {"*", host.lower(), address}
        return any(each in names or _contains(each, address) for each in self._allowed)


def _is_private_by_name(host: str) -> bool:
    return literal(host) is not None or "." not in host or f".{host.lower()}".endswith(_HOME)


def _contains(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]) in ipaddress.ip_network(network)
    except ValueError:
        return False

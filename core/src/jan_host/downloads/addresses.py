"""Addresses: which may be shown, which belong together, and which are private."""

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from jan_host.contract.errors import DownloadError

if TYPE_CHECKING:
    import httpx

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


def shown(url: str) -> str:
    """The address as a message may show it: without user, password, query and fragment.

    Signed addresses carry their secret in the query.
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def port_of(url: "httpx.URL") -> int:
    """The port that the address means."""
    return url.port or _PORTS.get(url.scheme, 0)


def keeps_credentials(here: "httpx.URL", there: "httpx.URL") -> bool:
    """Whether what was secret between us and `here` may be told to `there`.

    It may when both have one origin (scheme, host and port), or when the same host moves
    from http to https on their default ports.
    """
    if here.host != there.host:
        return False
    if here.scheme == there.scheme:
        return port_of(here) == port_of(there)
    return (here.scheme, port_of(here), there.scheme, port_of(there)) == ("http", 80, "https", 443)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; addresses that wrap another are unwrapped."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def literal(host: str) -> str | None:
    """The host when it is an IP address (without a zone), else ``None``."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def is_proxied(url: "httpx.URL") -> bool:
    """Whether the environment sends requests for this address through a proxy."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return (url.scheme in proxies or "all" in proxies) and not proxy_bypass(url.host)


async def public_addresses(url: "httpx.URL") -> list[str]:
    """The IP addresses of the URL's host, all of them public.

    Raises:
        DownloadError: The host is not known, or one of its addresses is private.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            url.host, port_of(url), type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except OSError as error:
        raise DownloadError(
            f"The server sent us on to {url.host}, and no such host is known ({error.strerror})."
            " Check the network connection and the name, then resume the download."
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(map(is_public, addresses)):
        raise private_target(url.host)
    return addresses


def private_target(host: str) -> DownloadError:
    """The error of a public server that sends us to an address inside this network."""
    return DownloadError(
        f"A public server redirected the download to {host}, which is inside this machine's own network:"
        " refused. If the file really is there, name that address itself as the origin."
    )

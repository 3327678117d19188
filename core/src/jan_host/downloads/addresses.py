"""Addresses: which may be shown, which belong together, and which are private."""

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

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
    """Whether an IP address belongs to the public internet."""
    ip = _unwrapped(address)
    return ip.is_global and not ip.is_multicast


def is_link_local(address: str) -> bool:
    """Whether an IP address is one of this very link, such as a cloud's metadata service (RFC 3927)."""
    return _unwrapped(address).is_link_local


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its very name or address."""
    address = literal(host)
    if address is None:
        return f".{host.lower()}".endswith(".localhost")
    return _unwrapped(address).is_loopback


def _unwrapped(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address, or the one inside of an address that wraps another."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def literal(host: str) -> str | None:
    """The host when it is an IP address (without a zone), else ``None``."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None

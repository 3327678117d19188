"""Addresses: which may be shown, which belong together, and which lie inside a private network."""

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    import httpx

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")

_INSIDE = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",  # this machine (RFC 1122)
            "10.0.0.0/8",  # private (RFC 1918), as are 172.16 and 192.168
            "100.64.0.0/10",  # behind a carrier's NAT (RFC 6598); overlay networks and clouds use it too
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's own services for the machines in it
            "169.254.0.0/16",  # this link (RFC 3927): clouds keep their machines' secrets there
            "172.16.0.0/12",
            "192.0.0.0/24",  # between a home and its provider (RFC 6890); Oracle's cloud keeps secrets there
            "192.168.0.0/16",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and in use inside of large networks; broadcast
            "::/128",  # this machine
            "::1/128",  # loopback
            "64:ff9b:1::/48",  # a network's own translation to IPv4 (RFC 8215)
            "fc00::/7",  # unique local (RFC 4193)
            "fe80::/10",  # this link
            "fec0::/10",  # private, before RFC 4193
            "ff00::/8",  # multicast
        ),
    )
)
"""Where machines of the inside live. Python's `is_global` denies more, such as networks for documentation
and benchmarks (203.0.113.0/24, 198.18.0.0/15): nobody's inside, and what some proxies let every name
lead to."""


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


def is_inside(address: str) -> bool:
    """Whether an IP address may lead to this machine, or to others of its private network."""
    ip = _unwrapped(address)
    return any(ip in network for network in _INSIDE)


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
        if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1):
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)
    return ip


def literal(host: str) -> str | None:
    """The host when it is an IP address (without a zone), else ``None``."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None

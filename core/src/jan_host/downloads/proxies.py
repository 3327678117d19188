"""Which proxy a request goes through."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jan_host.config import resolve_secret
from jan_host.contract.errors import ConfigError
from jan_host.downloads.addresses import is_loopback, shown

if TYPE_CHECKING:
    import httpx

NO_PROXY = "none"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that speaks HTTP."""

    host: str
    port: int
    headers: Mapping[str, str]
    """Who we are to it; empty when it does not ask."""


class Proxies:
    """Finds the proxy for an address.

    Args:
        setting: ``[downloads] proxy``: an address, ``env:NAME``, ``none``, or empty for the environment.
        environ: Where ``env:NAME`` is looked up.
    """

    def __init__(self, setting: str, environ: Mapping[str, str]) -> None:
        self._setting = setting
        self._environ = environ

    def proxy_for(self, url: "httpx.URL") -> Proxy | None:
        """The proxy that a request goes through; ``None``: it goes directly.

        Loopback is asked directly in any case: a proxy elsewhere has another one.

        Raises:
            ConfigError: The proxy's address can't be used.
        """
        from urllib.request import getproxies, proxy_bypass

        if self._setting == NO_PROXY or is_loopback(url.host) or proxy_bypass(url.host):
            return None
        if self._setting:
            return _parsed(resolve_secret(self._setting, self._environ), "[downloads] proxy")
        known = getproxies()
        address = known.get(url.scheme) or known.get("all")
        return _parsed(address, f"{url.scheme}_proxy in the environment") if address else None


def _parsed(address: str, where: str) -> Proxy:
    import httpx

    try:
        url = httpx.URL(address if "://" in address else f"http://{address}")
    except httpx.InvalidURL:
        raise ConfigError(f"{where} is no address. Write http://host:port.") from None
    if url.scheme != "http" or not url.host:
        raise ConfigError(
            f"The proxy {shown(address)}, from {where}, can't be used: downloads go through http:// proxies"
            " only (they pass https on). Set [downloads] proxy to one, or to none."
        )
    pair = f"{url.username}:{url.password}".encode()
    token = base64.b64encode(pair).decode("ascii")
    headers = {"Proxy-Authorization": f"Basic {token}"} if len(pair) > 1 else {}
    return Proxy(url.host, url.port or 80, headers)

"""Who may talk to the host from where: the Host header, web origins, and where it listens."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from litestar.types import HTTPScope, Message, Scope, Send

from jan_host.config import ServerConfig
from jan_host.contract.errors import ConfigError, ForbiddenError, InvalidRequestError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ALLOWED_METHODS = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
PROXY_HEADERS = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
"""What proxies add to the requests of others."""
PREFLIGHT_SECONDS = b"600"


def header(scope: Scope, name: bytes) -> str | None:
    """A header's value; the last one when there are several."""
    value = dict(scope["headers"]).get(name)
    return None if value is None else value.decode("latin-1")


def headers(scope: Scope, name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def check_bind(config: ServerConfig, keys: Sequence[str]) -> None:
    """Refuse to listen where others can reach a host without a key.

    Raises:
        ConfigError: Not loopback, no key, and the operator did not say that this is wanted.
    """
    if keys or config.allow_unauthenticated or is_loopback(config.host):
        return
    raise ConfigError(
        f"The host would listen on {config.host!r}, where other machines reach it, without an API key. Set"
        ' [server] api_keys (for example api_keys = ["env:JAN_HOST_KEY"]), or listen on 127.0.0.1, or set'
        " [server] allow_unauthenticated = true when the network is trusted."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, and not through a proxy that runs on it."""
    client = scope.get("client")
    if client is None or any(header(scope, name) is not None for name in PROXY_HEADERS):
        return False
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


class Boundary:
    """The allow-lists of names and origins: a page in a browser must not reach the host by itself."""

    def __init__(self, config: ServerConfig) -> None:
        if "*" in config.cors_origins or "*" in config.allowed_hosts:
            raise ConfigError(
                "[server] cors_origins and allowed_hosts take no '*': with it any web page could use this"
                " host. Name the origins (https://app.example) and hosts (jan.example) that may."
            )
        names = [config.host, *config.allowed_hosts]
        self._names = LOOPBACK_NAMES | {_plain_name(name) for name in names}
        self._origins = frozenset(origin.rstrip("/") for origin in config.cors_origins)

    def check_host(self, scope: HTTPScope) -> None:
        """Hold the Host header against the allow-list: the defence against DNS rebinding.

        Raises:
            InvalidRequestError: It is missing, doubled or not a host.
            ForbiddenError: It is none of the host's names.
        """
        given = headers(scope, b"host")
        name = _host_name(given[0]) if len(given) == 1 else None
        if name is None:
            raise InvalidRequestError("The request needs one Host header, such as localhost:1337.")
        if name in self._names or name == _local_address(scope):
            return
        raise ForbiddenError(
            f"This host does not answer to the name {name!r}. If it should, add it to [server] allowed_hosts."
        )

    def check_origin(self, scope: HTTPScope) -> None:
        """Refuse what another site's page sends to change something.

        Raises:
            ForbiddenError: It comes from a web page of an origin that is not configured.
        """
        if scope["method"] in SAFE_METHODS and not is_preflight(scope):
            return
        origin = header(scope, b"origin")
        if origin is None:
            if header(scope, b"sec-fetch-site") in ("cross-site", "same-site"):
                raise ForbiddenError("Web pages of other sites may not use this host.")
            return
        if origin in self._origins or _is_same_origin(origin, scope):
            return
        raise ForbiddenError(
            f"Web pages of {origin!r} may not use this host. If they should, add the origin to"
            " [server] cors_origins."
        )

    def allowing(self, scope: Scope, send: Send) -> Send:
        """`send`, with CORS headers on the answer where the page's origin is configured."""
        origin = header(scope, b"origin")
        if origin is None or origin not in self._origins:
            return send
        extra = [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"x-request-id, retry-after"),
            (b"vary", b"origin"),
        ]

        async def allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        return allowed


def is_preflight(scope: HTTPScope) -> bool:
    """Whether a browser asks what a page may send."""
    return (
        scope["method"] == "OPTIONS"
        and header(scope, b"origin") is not None
        and header(scope, b"access-control-request-method") is not None
    )


async def answer_preflight(scope: HTTPScope, send: Send) -> None:
    """Tell a browser that a page of an allowed origin may send its request."""
    wanted = header(scope, b"access-control-request-headers") or "authorization, content-type"
    await send(
        {
            "type": "http.response.start",
            "status": 204,
            "headers": [
                (b"access-control-allow-methods", ALLOWED_METHODS),
                (b"access-control-allow-headers", wanted.encode("latin-1")),
                (b"access-control-max-age", PREFLIGHT_SECONDS),
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _plain_name(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()


@lru_cache(maxsize=16)
def _host_name(value: str) -> str | None:
    """The name in a Host header, without port and brackets; ``None`` when it is garbled."""
    if not value or any(mark in value for mark in "@/\\?#, \t"):
        return None
    try:
        parts = urlsplit(f"//{value}")
        _ = parts.port  # raises when it is not a port
        name = parts.hostname
    except ValueError:
        return None
    return name.rstrip(".") or None if name else None


def _local_address(scope: Scope) -> str | None:
    """The address that the client connected to; a page can't be rebound to a bare address."""
    server = scope.get("server")
    return server[0] if server else None


def _is_same_origin(origin: str, scope: Scope) -> bool:
    """Whether a page came from this host itself; its Host header has been checked before."""
    host = header(scope, b"host") or ""
    return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())

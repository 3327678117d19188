"""The API key: asked for on every path but a short public list."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from litestar.types import HTTPScope

from jan_host.api.security import header
from jan_host.config import ServerConfig, resolve_secret
from jan_host.contract.errors import AuthenticationError

PUBLIC_PATHS = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
"""Exactly these need no key, and they answer GET alone."""
PUBLIC_METHODS = frozenset({"GET", "HEAD"})
KEY_HEADERS = (b"x-api-key", b"api-key")
"""Where clients made for other providers put the key."""


def read_keys(config: ServerConfig, environ: Mapping[str, str]) -> list[str]:
    """The keys that open the API, from where the settings say they are.

    Raises:
        ConfigError: One of them is not there.
    """
    return [resolve_secret(text, environ) for text in config.api_keys]


class KeyCheck:
    """Compares keys in constant time. Without keys, everybody may come in."""

    def __init__(self, keys: Sequence[str]) -> None:
        # Digests have one length, so that comparing tells nothing about a key's length either.
        self._digests = [_digest(key) for key in keys]

    def check(self, scope: HTTPScope) -> None:
        """Let a request pass that has a key or needs none.

        Raises:
            AuthenticationError: The key is missing or wrong.
        """
        if not self._digests or (scope["path"] in PUBLIC_PATHS and scope["method"] in PUBLIC_METHODS):
            return
        given = _given_key(scope)
        if given is None:
            raise AuthenticationError("This host needs an API key. Send it as 'Authorization: Bearer KEY'.")
        digest = _digest(given)
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(matches):
            raise AuthenticationError("The API key is wrong. Send one of the keys of [server] api_keys.")


def _given_key(scope: HTTPScope) -> str | None:
    scheme, _, key = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return next((value for name in KEY_HEADERS if (value := header(scope, name))), None)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()

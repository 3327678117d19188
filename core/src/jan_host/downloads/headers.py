"""The headers of a request: secrets are read when it is made, and stay with the origin they are for."""

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from jan_host.config import resolve_secret

if TYPE_CHECKING:
    import httpx

_SECRET = re.compile(r"(?P<scheme>[A-Za-z][\w-]* )?(?P<name>(?:env|file):.*)")

HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
"""What may follow a redirect to another origin; whatever else a plan sends could be a secret."""


def reveal(headers: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The headers with each ``env:NAME`` and ``file:PATH`` (or ``Bearer env:NAME``) replaced by the secret.

    Raises:
        ConfigError: The variable is not set, or the file can't be read.
    """
    return {name: _reveal(value, environ) for name, value in headers.items()}


def _reveal(value: str, environ: Mapping[str, str]) -> str:
    match = _SECRET.fullmatch(value)
    return (match["scheme"] or "") + resolve_secret(match["name"], environ) if match else value


def harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may be sent to another origin."""
    return {name: value for name, value in headers.items() if name.lower() in HARMLESS}


def basic_authorization(url: "httpx.URL") -> dict[str, str]:
    """The header that stands for ``user:password@`` in the address; empty where there is none."""
    if not url.username and not url.password:
        return {}
    pair = f"{url.username}:{url.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}

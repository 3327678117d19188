"""Passwords of package indexes: pip keeps them in its settings and leaves them out of its reports."""

import ast
from urllib.parse import urlsplit, urlunsplit

from jan_host_pypi.pip import run_pip

_INDEXES = ("index-url", "extra-index-url", "find-links")


async def with_credentials(url: str) -> str | None:
    """The URL with the user and password that pip's settings have for its origin, if they have any.

    Scheme, host and port must be the same, as pip itself demands.
    """
    wanted = urlsplit(url)
    for index in await _configured_urls():
        parts = urlsplit(index)
        userinfo, at, host = parts.netloc.rpartition("@")
        if at and (parts.scheme, host) == (wanted.scheme, wanted.netloc):
            return urlunsplit(wanted._replace(netloc=f"{userinfo}@{host}"))
    return None


async def _configured_urls() -> list[str]:
    code, output, _ = await run_pip(["config", "list"])
    found: list[str] = []
    for line in output.splitlines() if code == 0 else ():
        key, _, value = line.partition("=")
        if key.rpartition(".")[2] in _INDEXES:
            found += str(ast.literal_eval(value)).split()
    return found

"""What pip's own settings say of package indexes: which there are, and their passwords."""

import ast
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from jan_host_pypi.pip import run_pip

_INDEXES = ("index-url", "extra-index-url", "find-links")
_HOSTS = "trusted-host"


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """The indexes that pip is told to ask, and the hosts that it is told to trust."""

    urls: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    """``HOST`` or ``HOST:PORT``."""

    def names(self, url: str) -> bool:
        """Whether they name the host of a URL."""
        hosts = {urlsplit(index).hostname for index in self.urls}
        hosts |= {urlsplit(f"//{each}").hostname for each in self.hosts}
        return urlsplit(url).hostname in hosts - {None}

    def with_credentials(self, url: str) -> str | None:
        """The URL with the user and password that they have for its origin, if they have any.

        pip keeps passwords out of its reports. Scheme, host and port must be the same, as pip itself
        demands.
        """
        wanted = urlsplit(url)
        for index in self.urls:
            parts = urlsplit(index)
            userinfo, at, host = parts.netloc.rpartition("@")
            if at and (parts.scheme, host) == (wanted.scheme, wanted.netloc):
                return urlunsplit(wanted._replace(netloc=f"{userinfo}@{host}"))
        return None


async def read_settings() -> IndexSettings:
    """Ask pip for its settings: of its files and of the environment."""
    code, output, _ = await run_pip(["config", "list"])
    urls: list[str] = []
    hosts: list[str] = []
    for line in output.splitlines() if code == 0 else ():
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2]
        if option in _INDEXES:
            urls += str(ast.literal_eval(value)).split()
        elif option == _HOSTS:
            hosts += str(ast.literal_eval(value)).split()
    return IndexSettings(tuple(urls), tuple(hosts))

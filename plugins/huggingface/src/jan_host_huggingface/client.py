"""Asking a hub: huggingface_hub's session and errors, with bounds on time, size and redirects."""

import os
import time
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from jan_host import ImportFailedError

from jan_host_huggingface.answers import RefsAnswer, RepositoryAnswer
from jan_host_huggingface.credentials import Credentials, credentials_for
from jan_host_huggingface.faults import Asked, nonsense, offline, translated
from jan_host_huggingface.origins import HUB_HOSTS
from jan_host_huggingface.settings import Settings, configured_endpoint, endpoint_of

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

MOST_ANSWER_BYTES = 64 << 20
MOST_FILE_BYTES = 1 << 20
"""Of a configuration file that is read for its content."""
MOST_REDIRECTS = 5
MOST_SECONDS_TIMES = 4
"""A whole answer may take so many times as long as the hub may stay silent."""
TRIES = 3
PAUSE_SECONDS = 0.5
_REFUSALS = frozenset({401, 403})
_PASSING = frozenset({500, 502, 503, 504})


class Client:
    """One import's way to a hub. Blocks: call it in a thread.

    Args:
        settings: ``[plugins.huggingface]``.

    Raises:
        ImportFailedError: The endpoint is no address, or the client is told to stay offline.
    """

    def __init__(self, settings: Settings) -> None:
        self.endpoint = endpoint_of(settings)
        if urlsplit(self.endpoint).scheme not in ("http", "https") or not urlsplit(self.endpoint).hostname:
            raise ImportFailedError(
                f"The hub's address {self.endpoint!r} is none. Correct HF_ENDPOINT, such as"
                " https://huggingface.co."
            )
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
            raise offline(self.endpoint)
        self.credentials: Credentials | None = credentials_for(settings, self.endpoint)
        self._token = self.credentials.secret() if self.credentials else None
        self.trusted = configured_endpoint(settings) is not None
        """Whether the operator named this hub, which may then lie inside our own network."""
        self._seconds = settings.timeout_seconds

    def repository(self, repo: str, revision: str | None) -> RepositoryAnswer:
        """All that the hub tells of a repository, with sizes and hashes of its files.

        Raises:
            OriginNotFoundError: There is no such repository or revision.
            ImportFailedError: Anything else.
        """
        asked = self._asked(repo, revision)
        path = f"/api/models/{repo}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
        return _decode(self._get(f"{path}?blobs=true", asked, MOST_ANSWER_BYTES), RepositoryAnswer, asked)

    def branches(self, repo: str) -> list[str]:
        """The names of a repository's branches."""
        asked = self._asked(repo)
        body = self._get(f"/api/models/{repo}/refs", asked, MOST_ANSWER_BYTES)
        return [branch.name for branch in _decode(body, RefsAnswer, asked).branches]

    def check_access(self, repo: str) -> None:
        """See that this token may fetch files of a gated repository.

        Raises:
            ImportFailedError: It may not; says what to do.
        """
        try:
            self._get(f"/api/models/{repo}/auth-check", self._asked(repo), MOST_FILE_BYTES)
        except ImportFailedError as error:
            if (
                error.http_status in _REFUSALS
            ):  # mirrors may not have that path at all: the download will tell
                raise

    def file(self, repo: str, commit: str, path: str) -> bytes:
        """The content of a small file.

        Raises:
            OriginNotFoundError: There is no such file.
            ImportFailedError: Anything else, a file larger than `MOST_FILE_BYTES` included.
        """
        return self._get(self.path_of(repo, commit, path), self._asked(repo, commit, path), MOST_FILE_BYTES)

    def path_of(self, repo: str, revision: str, path: str) -> str:
        """Where the hub has a file, behind its endpoint."""
        return f"/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def _asked(self, repo: str, revision: str | None = None, path: str | None = None) -> Asked:
        return Asked(
            endpoint=self.endpoint,
            repo=repo,
            revision=revision,
            path=path,
            with_token=self._token is not None,
        )

    def _get(self, path: str, asked: Asked, most_bytes: int) -> bytes:
        """The body of a good answer; a fault that may pass is tried again."""
        from huggingface_hub import hf_raise_for_status

        deadline = time.monotonic() + self._seconds * MOST_SECONDS_TIMES
        with translated(asked):
            for left in range(TRIES - 1, -1, -1):
                response, body = self._follow(self.endpoint + path, asked, most_bytes, deadline)
                if response.status_code not in _PASSING or not left:
                    break
                time.sleep(PAUSE_SECONDS)
            hf_raise_for_status(response)
        return body

    def _follow(
        self, url: str, asked: Asked, most_bytes: int, deadline: float
    ) -> tuple["httpx2.Response", bytes]:
        """Ask, and go where hubs send us: to another path of theirs. The token stays with the endpoint."""
        import httpx2
        from huggingface_hub import get_session

        here = httpx2.URL(url)
        for _ in range(MOST_REDIRECTS + 1):
            headers = {"user-agent": "jan-host", "accept-encoding": "gzip, identity"}
            if self._token is not None and _origin(here) == _origin(httpx2.URL(self.endpoint)):
                headers["authorization"] = f"Bearer {self._token}"
            session = get_session()
            with session.stream(
                "GET", here, headers=headers, timeout=self._seconds, follow_redirects=False
            ) as response:
                if not response.has_redirect_location:
                    return response, _read(response, asked, most_bytes, deadline)
                there = here.join(response.headers["location"])
            if _origin(there) != _origin(here) and (there.scheme, there.host in HUB_HOSTS) != ("https", True):
                raise nonsense(asked, "it redirects to another host")
            here = there
        raise nonsense(asked, "it redirects in circles")


def _decode(body: bytes, kind: type[T], asked: Asked) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # msgspec's words name the field and the type, and no value.
        raise nonsense(asked, str(error) or type(error).__name__) from None


def _origin(url: "httpx2.URL") -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _read(response: "httpx2.Response", asked: Asked, most_bytes: int, deadline: float) -> bytes:
    found = bytearray()
    for chunk in response.iter_bytes(1 << 16):
        found += chunk
        if len(found) > most_bytes:
            raise nonsense(asked, f"its answer is larger than {most_bytes >> 20} MB")
        if time.monotonic() > deadline:
            raise nonsense(asked, "its answer does not end")
    return bytes(found)

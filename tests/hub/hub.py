"""The hub itself: what it holds, what it was asked, and two servers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from tests.hub.faults import Answer, Fault
from tests.hub.repositories import Commit, Files, Repo


@dataclass(kw_only=True)
class Seen:
    """A request, and how it was answered."""

    place: str
    """``hub`` or ``cdn``."""
    method: str
    path: str
    """Without the query, as it was sent."""
    query: str
    headers: dict[str, str]
    """Names in lower case."""
    file: str | None = None
    """``org/name/path`` of the file whose bytes were asked for."""
    status: int = 0
    start: int = 0
    """The offset of the first byte that was sent."""
    sent: int = 0
    """Bytes of body that were sent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, hub: "Hub", handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.hub = hub
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is what some tests are about."""

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(10)


class Hub:
    """Repositories behind HTTP. All that is public may be changed while it runs."""

    def __init__(self) -> None:
        from tests.hub.serving import CdnHandler, HubHandler

        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        """A repository's former id to its present one."""
        self.faults: dict[str, Fault] = {}
        """By ``org/name/path``; see `fault`."""
        self.answers: dict[str, Answer] = {}
        """By the path of the URL: sent in place of what the hub would say."""
        self.tokens: set[str] = set()
        """Tokens that are good; a request with any other is refused."""
        self.page_size = 1000
        """Entries of a page of a tree."""
        self.signature = 1
        """Stands in the CDN's URLs; see `expire_signatures`."""
        self.seen: list[Seen] = []
        self.changed = threading.Condition()
        """Notified when a request came, and when it was answered."""
        self._hub = _Server(self, HubHandler)
        self._cdn = _Server(self, CdnHandler)

    @property
    def url(self) -> str:
        """The endpoint, for ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self._hub.server_address[1]}"

    @property
    def cdn_url(self) -> str:
        """Where large files lie."""
        return f"http://127.0.0.1:{self._cdn.server_address[1]}"

    def add(self, repo_id: str, files: Files, **what: Any) -> Repo:
        """A repository with a first commit on ``main``; `what` are fields of `Repo`."""
        repo = self.repos[repo_id] = Repo(id=repo_id, **what)
        repo.commit(files)
        self.tokens |= repo.readers
        return repo

    def fault(self, file: str) -> Fault:
        """How ``org/name/path`` is served wrongly; change what it returns."""
        return self.faults.setdefault(file, Fault())

    def resolve_url(self, repo_id: str, path: str, revision: str = "main") -> str:
        """Where a file can be had."""
        return f"{self.url}/{repo_id}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def signed_url(self, repo: Repo, commit: Commit, path: str) -> str:
        """Where the CDN has a file, until `expire_signatures`."""
        query = f"Expires=1700000000&Signature={self.signature}&Key-Pair-Id=K2"
        return f"{self.cdn_url}/repos/{repo.id}/{commit.sha}/{quote(path)}?{query}"

    def expire_signatures(self) -> None:
        """All signed URLs that were given out are refused from now on."""
        self.signature += 1

    def requests(self, file: str, *, method: str = "GET") -> list[Seen]:
        """The requests that got bytes of ``org/name/path``, or were refused them."""
        return [one for one in list(self.seen) if one.file == file and one.method == method]

    def bytes_sent(self, file: str) -> int:
        """Bytes of body that were sent for a file, over all requests."""
        return sum(one.sent for one in self.requests(file))

    def ranges(self, file: str) -> list[tuple[int, int]]:
        """For each answer with bytes of the file: the first offset, and the one behind the last."""
        return [(one.start, one.start + one.sent) for one in self.requests(file) if one.sent]

    def wait_for_bytes(self, file: str, count: int, timeout_seconds: float = 60) -> None:
        """Wait until so many bytes of a file were sent.

        Raises:
            TimeoutError: They were not.
        """
        with self.changed:
            if not self.changed.wait_for(lambda: self.bytes_sent(file) >= count, timeout_seconds):
                raise TimeoutError(f"{file}: {self.bytes_sent(file)} of {count} bytes were sent")

    def begin(self) -> None:
        self._hub.begin()
        self._cdn.begin()

    def end(self) -> None:
        for fault in self.faults.values():
            fault.gate.set()
        for answer in self.answers.values():
            if answer.gate is not None:
                answer.gate.set()
        self._hub.end()
        self._cdn.end()


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that runs until the block ends."""
    hub = Hub()
    hub.begin()
    try:
        yield hub
    finally:
        hub.end()

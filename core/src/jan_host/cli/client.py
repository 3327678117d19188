"""The command line as a client of a running server."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from jan_host.cli.announcement import announced
from jan_host.cli.session import Session
from jan_host.config import Config, resolve_secret
from jan_host.contract.errors import (
    AuthenticationError,
    ErrorPayload,
    JanHostError,
    UnavailableError,
    from_payload,
)
from jan_host.contract.events import DownloadInfo
from jan_host.contract.importer import ImportPlan, PullRequest

PROBE_SECONDS = 2.0

AnswerT = TypeVar("AnswerT")


class Server:
    """A jan-host that listens at `url`."""

    def __init__(self, url: str, config: Config) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        keys = config.server.api_keys
        self.headers = {"Authorization": f"Bearer {resolve_secret(keys[0], os.environ)}"} if keys else {}

    @property
    def needs_key(self) -> bool:
        """Whether requests carry an API key, as far as this root's configuration tells."""
        return bool(self.headers)

    @classmethod
    def find(cls, session: Session) -> "Server | None":
        """The server that is meant, if it answers: of ``--url``, or the one that serves the root."""
        config = session.config()
        named = session.url or os.environ.get("JAN_HOST_URL")
        url = named or announced(config)
        if url is None:
            return None
        server = cls(url if "://" in url else f"http://{url}", config)
        if server.answers():
            return server
        if named:
            raise UnavailableError(f"No jan-host answers at {named}. Start one with: jan-host serve")
        return None

    @classmethod
    def require(cls, session: Session) -> "Server":
        """As `find`; that there is none is an error."""
        server = cls.find(session)
        if server is None:
            raise UnavailableError(
                f"No server serves {session.config().root}. Start one with: jan-host serve; or name one with"
                " --url"
            )
        return server

    def answers(self) -> bool:
        """Whether a jan-host answers there."""
        try:
            reply = httpx.get(f"{self.url}/health", timeout=PROBE_SECONDS, trust_env=False)
            return reply.status_code == httpx.codes.OK and reply.json().get("name") == "jan-host"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError):
            return False

    def models(self) -> list[dict[str, Any]]:
        """The models, as ``GET /v1/models`` shows them."""
        data: list[dict[str, Any]] = self.call("GET", "/v1/models")["data"]
        return data

    def model(self, model_id: str, method: str = "GET") -> dict[str, Any]:
        """A model, or what is left of it after ``DELETE``."""
        return self.call(method, self.path(model_id))

    def plan(self, request: PullRequest) -> ImportPlan:
        """What a pull would do."""
        return _read(self.call("POST", "/v1/models/plan", msgspec.to_builtins(request)), ImportPlan)

    def pull(self, request: PullRequest) -> DownloadInfo:
        """Let the server begin to bring a model."""
        return _read(self.call("POST", "/v1/models/pull", msgspec.to_builtins(request)), DownloadInfo)

    def downloads(self) -> list[DownloadInfo]:
        """What the server fetches, and what can be resumed."""
        return _read(self.call("GET", "/v1/downloads")["data"], list[DownloadInfo])

    def download(self, download_id: str, *, method: str = "GET", action: str = "") -> DownloadInfo:
        """A download, or what became of it after ``DELETE`` or an action such as ``/resume``."""
        path = f"/v1/downloads/{quote(download_id, safe='')}{action}"
        return _read(self.call(method, path), DownloadInfo)

    def path(self, model_id: str) -> str:
        """The path of a model's resource; a slash in the id is part of the id."""
        return f"/v1/models/{quote(model_id, safe='')}"

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a request and return the JSON of its answer.

        Raises:
            JanHostError: What the server answered instead.
        """
        with _translated(self.url):
            # A start answers when the model is ready, which may take minutes.
            reply = httpx.request(
                method, self.url + path, json=body, headers=self.headers, timeout=None, trust_env=False
            )
        if reply.is_error:
            raise error_of(reply.content, reply.status_code)
        answer: dict[str, Any] = reply.json()
        return answer

    async def chat(
        self, model: str | None, messages: list[dict[str, Any]], **options: Any
    ) -> AsyncIterator[str]:
        """Ask a model; yields the answer's text as it comes."""
        body: Mapping[str, Any] = {"model": model, "messages": messages, "stream": True, **options}
        async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
            with _translated(self.url):
                async with client.stream(
                    "POST", f"{self.url}/v1/chat/completions", json=body, headers=self.headers
                ) as reply:
                    if reply.is_error:
                        raise error_of(await reply.aread(), reply.status_code)
                    async for line in reply.aiter_lines():
                        text = _text_of(line)
                        if text:
                            yield text


def _read(answer: Any, kind: type[AnswerT]) -> AnswerT:
    """An answer as what it stands for; a newer server's further fields are left out."""
    return msgspec.convert(answer, kind, dec_hook=lambda wanted, value: wanted(value))  # of paths


def _text_of(line: str) -> str:
    """The text in one line of a stream; an error in it is raised."""
    data = line.removeprefix("data: ")
    if data in (line, "[DONE]"):  # a line without `data:` is the end of an event, or a comment
        return ""
    chunk = msgspec.json.decode(data)
    if "error" in chunk:
        raise error_of(data.encode(), 500)
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def error_of(content: bytes, status: int) -> JanHostError:
    """The error in a body of the API's error shape."""
    if status == httpx.codes.UNAUTHORIZED:
        return AuthenticationError(
            "The server wants an API key that this command does not have. Name it in [server] api_keys of"
            " config.toml, or in JAN_HOST_SERVER_API_KEYS."
        )
    try:
        error = msgspec.json.decode(content)["error"]
        return from_payload(ErrorPayload(message=error["message"], code=error["code"] or "", status=status))
    except (msgspec.DecodeError, KeyError, TypeError):
        return JanHostError(f"The server answered with status {status}, and not as jan-host does.")


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise UnavailableError(f"The connection to {url} failed: {error or type(error).__name__}") from error

"""Extras: HTTP routes and background services of a plugin."""

from abc import ABC
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from jan_host.contract.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is not simply JSON with status 200: what a `Route`'s handler may return.

    `content` is bytes, or an iterator of bytes that is sent as it comes; closing the
    connection closes the iterator.
    """

    content: bytes | AsyncIterator[bytes]
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One HTTP route. The host checks the API key, the body and its size before the handler runs.

    The handler is an ``async def`` whose annotated parameters say what it gets: `data` is the
    JSON body, decoded into its type (a ``msgspec.Struct``); a name that stands in `path` as
    ``{name:str}`` is that part of the path; any other name is a query parameter. It returns
    a Struct or anything that msgspec writes as JSON, or a `Reply`, and raises errors of
    `jan_host.contract.errors`.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    """Begins with a slash; outside ``/v1`` and of no other route."""
    handler: Callable[..., Awaitable[Any]]
    summary: str = ""
    description: str | None = None
    operation_id: str | None = None
    tags: Sequence[str] = ("Extras",)


class Extra(ABC):
    """Something beside models: routes, a background service, or both."""

    name: ClassVar[str]

    def routes(self, host: Host) -> Sequence[Route]:
        """The routes, asked for once, before the server starts; handlers keep the `host`."""
        return ()

    async def start(self, host: Host) -> None:  # noqa: B027  # a choice, not a duty
        """Begin to work in the background; the server is about to accept requests."""

    async def stop(self) -> None:  # noqa: B027  # as start
        """End what `start` began."""

"""Which methods a path takes, as ``Allow`` names them."""

from collections.abc import Iterable, Sequence

from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import HTTPScope, Send

from jan_host.api.paths import rewritten

_ROUTED = ("DELETE", "GET", "PATCH", "POST", "PUT")


class Methods:
    """The methods of all paths of an application.

    Args:
        app: Whose routes they are.
    """

    def __init__(self, app: Litestar) -> None:
        self._routes = [
            (route.path_components, frozenset(route.methods))
            for route in app.routes
            if isinstance(route, HTTPRoute)
        ]

    def of(self, scope: HTTPScope) -> list[str]:
        """All that a request's path takes, in order; nothing where there is nothing."""
        found = [method for method in _ROUTED if self._takes(scope, method)]
        return with_implied(found) if found else []

    def _takes(self, scope: HTTPScope, method: str) -> bool:
        asked = scope.copy()
        asked["method"] = method  # type: ignore[typeddict-item]  # Litestar's literal; one of `_ROUTED`
        segments = [part for part in rewritten(asked).split("/") if part]
        return any(method in methods and _matches(parts, segments) for parts, methods in self._routes)


def _matches(parts: Sequence[object], segments: Sequence[str]) -> bool:
    """Whether each segment is the text that a route has there, or stands for a parameter."""
    if len(parts) != len(segments):
        return False
    pairs = zip(parts, segments, strict=True)
    return all(part == given for part, given in pairs if isinstance(part, str))


def with_implied(methods: Iterable[str]) -> list[str]:
    """Methods with those that every path takes, and HEAD beside GET, in order."""
    found = {*methods, "OPTIONS"}
    return sorted(found | {"HEAD"} if "GET" in found else found)


async def answer_options(send: Send, methods: Iterable[str]) -> None:
    """Answer OPTIONS."""
    allow = ", ".join(methods).encode()
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow)]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})

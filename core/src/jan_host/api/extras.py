"""Routes of plugins' extras. One that can't be mounted is reported and costs that extra alone."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any

from litestar import Litestar
from litestar.constants import RESERVED_KWARGS
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from litestar.types import ASGIApp

from jan_host.api.operation import ANSWER
from jan_host.api.replies import PluginAnswer
from jan_host.contract.errors import PluginError
from jan_host.contract.extra import Reply, Route
from jan_host.host import JanHost

BODY = "data"
CURE = "Report it to its author, or disable the plugin with [plugins] disabled."

Place = tuple[str, str]
"""Method and path; the names of path parameters do not count."""


def extra_routes(host: JanHost, core: Iterable[str]) -> list[HTTPRouteHandler]:
    """The handlers of all extras whose routes are sound.

    Args:
        host: Handed to the extras.
        core: The paths of the host's own routes: nothing may lie below their first parts.
    """
    reserved = {_first_part(path) for path in core}
    taken: set[Place] = set()
    accepted: list[HTTPRouteHandler] = []
    for extra in host.plugins.extras():
        try:
            routes = list(extra.routes(host))
            places = _check_places(routes, reserved, taken)
            handlers = [_handler(route, host.config.server.body_timeout_seconds) for route in routes]
            _try_to_mount([*accepted, *handlers])
        except Exception as error:  # a plugin may raise anything; it costs that extra alone
            host.plugins.broken(extra.name, f"its routes can't be used: {error}", CURE)
        else:
            taken |= places
            accepted += handlers
    return accepted


def _try_to_mount(handlers: Sequence[HTTPRouteHandler]) -> None:
    """Raise whatever Litestar would raise when the handlers are mounted."""
    Litestar(handlers, openapi_config=None, logging_config=None)


def _check_places(routes: Sequence[Route], reserved: set[str], taken: set[Place]) -> set[Place]:
    places: set[Place] = set()
    for route in routes:
        place = (route.method, _shape(route.path))
        if not route.path.startswith("/"):
            raise PluginError(f"the path {route.path!r} does not begin with a slash")
        if _first_part(route.path) in reserved:
            raise PluginError(f"the path {route.path!r} lies where the host's own routes are")
        if place in taken | places:
            raise PluginError(f"{route.method} {route.path} is taken already")
        places.add(place)
    return places


def _first_part(path: str) -> str:
    return path.strip("/").split("/", 1)[0].lower()


def _shape(path: str) -> str:
    """The path with its parameters made alike."""
    return "/".join("{}" if part.startswith("{") else part for part in path.strip("/").split("/"))


def _handler(route: Route, stall_seconds: float) -> HTTPRouteHandler:
    signature = inspect.signature(route.handler, eval_str=True)
    returned = signature.return_annotation
    describes = returned not in (inspect.Signature.empty, Reply, None, Any)
    return HTTPRouteHandler(
        route.path,
        http_method=route.method,
        status_code=200,
        summary=route.summary or None,
        description=route.description,
        operation_id=route.operation_id,
        tags=list(route.tags),
        opt={ANSWER: returned} if describes else {},
    )(_adapted(route.handler, signature, stall_seconds))


def _adapted(
    handler: Callable[..., Awaitable[Any]], signature: inspect.Signature, stall_seconds: float
) -> Callable[..., Awaitable[ASGIApp]]:
    """`handler` with a signature whose names all mean what `Route` promises.

    Litestar gives some names a meaning of its own (``query``, ``headers``, ...); here they are
    query parameters like any other.
    """
    names: dict[str, str] = {}
    parameters = []
    for parameter in signature.parameters.values():
        kind: Any = parameter.annotation
        adapted = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        if parameter.name in RESERVED_KWARGS and parameter.name != BODY:
            annotation = Annotated[kind, Parameter(query=parameter.name)]
            adapted = adapted.replace(name=f"{parameter.name}_", annotation=annotation)
        names[adapted.name] = parameter.name
        parameters.append(adapted)

    async def answer(**given: Any) -> ASGIApp:
        content = await handler(**{names[name]: value for name, value in given.items()})
        return PluginAnswer(content, stall_seconds)

    answer.__name__ = getattr(handler, "__name__", "extra")
    answer.__doc__ = handler.__doc__
    answer.__signature__ = inspect.Signature(parameters, return_annotation=ASGIApp)  # type: ignore[attr-defined]  # functions may have one
    answer.__annotations__ = {item.name: item.annotation for item in parameters} | {"return": ASGIApp}
    return answer

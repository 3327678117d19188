"""Routes of plugins' extras. One that can't be mounted is reported and costs that extra alone."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any

from litestar import Litestar
from litestar.constants import RESERVED_KWARGS
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg, PathParameter, QueryParameter
from litestar.types import ASGIApp
from litestar.utils import is_async_callable

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
            handlers = [_handler(route) for route in routes]
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


def _handler(route: Route) -> HTTPRouteHandler:
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
    )(_adapted(route.handler, signature, route.path))


def _marker(name: str, path: str) -> BodyKwarg | PathParameter | QueryParameter:
    """Where a handler's parameter comes from, by the rules of `Route`."""
    if name == BODY:
        return BodyKwarg(media_type=RequestEncodingType.JSON)
    return PathParameter() if f"{{{name}:" in path else QueryParameter(name=name)


def _adapted(
    handler: Callable[..., Awaitable[Any]], signature: inspect.Signature, path: str
) -> Callable[..., Awaitable[ASGIApp]]:
    """`handler` with a signature whose names all mean what `Route` promises.

    Litestar gives some names a meaning of its own (``query``, ``headers``, ...); here they are
    query parameters like any other.
    """
    if not is_async_callable(handler):
        raise PluginError(f"the handler of {path} is not async")
    names: dict[str, str] = {}
    parameters = []
    for parameter in signature.parameters.values():
        name = parameter.name
        if parameter.annotation is inspect.Parameter.empty:
            raise PluginError(f"the handler of {path} does not say of what type {name!r} is")
        own_name = f"{name}_" if name in RESERVED_KWARGS and name != BODY else name
        annotation: Any = Annotated[parameter.annotation, _marker(name, path)]
        parameters.append(
            parameter.replace(name=own_name, annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY)
        )
        names[own_name] = name

    async def answer(**given: Any) -> ASGIApp:
        content = await handler(**{names[name]: value for name, value in given.items()})
        return PluginAnswer(content)

    answer.__name__ = getattr(handler, "__name__", "extra")
    answer.__doc__ = handler.__doc__
    answer.__signature__ = inspect.Signature(parameters, return_annotation=ASGIApp)  # type: ignore[attr-defined]  # functions may have one
    answer.__annotations__ = {item.name: item.annotation for item in parameters} | {"return": ASGIApp}
    return answer

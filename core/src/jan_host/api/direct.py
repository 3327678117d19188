"""A short way to the routes that generate: without the router, whose work would double theirs."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Send

from jan_host.api.decoding import decode_any
from jan_host.api.errors import missing_body
from jan_host.api.methods import Methods, answer_options

BODY = "data"
"""What handlers call the parameter that gets the request's body."""

Answerer = Callable[..., Awaitable[ASGIApp]]


class Direct:
    """Calls the handlers of an application that need its body alone; all else goes to the router.

    The handlers are the router's own: they are declared, documented and found in one place.

    Args:
        app: Whose routes they are.
        router: What the application does with a request.
    """

    def __init__(self, app: Litestar, router: ASGIApp) -> None:
        self._handlers = dict(_handlers(app))
        self.methods = Methods(app)
        """Which methods each path takes."""
        self._router = router

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer a request whose body has been read, see `jan_host.api.body.replay`."""
        found = self._handlers.get(scope["path"]) if scope["method"] == "POST" else None
        if found is not None:
            await self._generate(*found, scope, receive, send)
        elif scope["method"] == "OPTIONS" and (methods := self.methods.of(scope)):
            # The router knows one of the handlers of a path alone.
            await answer_options(send, methods)
        else:
            await self._router(scope, receive, send)

    async def _generate(
        self, handler: Answerer, kind: Any, scope: HTTPScope, receive: Receive, send: Send
    ) -> None:
        message = await receive()
        assert message["type"] == "http.request"  # the door gives no other before that one
        if not message["body"]:
            raise missing_body()
        answer = await handler(**{BODY: await decode_any(message["body"], kind)})
        await answer(scope, receive, send)


def _handlers(app: Litestar) -> Iterator[tuple[str, tuple[Answerer, Any]]]:
    """By path: the functions behind POST, and the types of their bodies."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or "POST" not in route.route_handler_map:
            continue
        handler, _ = route.route_handler_map["POST"]
        if not route.path_parameters and _needs_body_alone(handler):
            yield route.path, (handler.fn, handler.parsed_fn_signature.parameters[BODY].annotation)


def _needs_body_alone(handler: HTTPRouteHandler) -> bool:
    signature = handler.parsed_fn_signature
    names = list(signature.parameters)
    answers = signature.return_type.annotation == ASGIApp
    return answers and names == [BODY] and not signature.parameters[BODY].has_default

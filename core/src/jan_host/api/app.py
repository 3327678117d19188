"""The application: every route of the host behind one door."""

import os
from functools import partial
from typing import Any

from litestar import Litestar, Router
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

from jan_host.api.auth import read_keys
from jan_host.api.chat import chat_routes
from jan_host.api.completions import completion_routes
from jan_host.api.decoding import JsonRequest
from jan_host.api.direct import Direct
from jan_host.api.docs import docs_routes
from jan_host.api.door import Door
from jan_host.api.downloads import download_routes
from jan_host.api.errors import handle_exception
from jan_host.api.events import event_routes
from jan_host.api.extras import extra_routes
from jan_host.api.health import health_routes
from jan_host.api.models import model_routes
from jan_host.api.openapi import build_document
from jan_host.api.plugins import plugin_routes
from jan_host.api.reranking import rerank_routes
from jan_host.api.security import check_bind
from jan_host.api.vectors import vector_routes
from jan_host.host import JanHost


class JanApp(Litestar):
    """Litestar, with the door in front of its router: also of what no route answers."""

    door: Door

    async def __call__(
        self,
        scope: Scope | LifeSpanScope,
        receive: Receive | LifeSpanReceive,
        send: Send | LifeSpanSend,
    ) -> None:
        """Answer a request, or take part in the server's life."""
        if scope["type"] == ScopeType.HTTP:
            await self.door(scope, receive, send)  # type: ignore[arg-type]  # an http scope comes with its own kind
        else:
            await super().__call__(scope, receive, send)


def create_app(host: JanHost) -> JanApp:
    """The HTTP API over a host.

    Extras' routes are asked for here; an extra whose routes can't be used is reported as broken.

    Raises:
        ConfigError: ``[server]`` opens the host to others without a key, names a key that is not
            there, or allows every origin.
    """
    config = host.config.server
    keys = read_keys(config, os.environ)
    check_bind(config, keys)

    def document() -> dict[str, Any]:
        return build_document(app, host, needs_key=bool(keys))

    own = [*health_routes(host), *docs_routes(document)]
    api = _api_routes(host)
    core = ["/v1", *(path for handler in [*own, *api] for path in handler.paths)]
    app = JanApp(
        route_handlers=[
            Router("/v1", route_handlers=api),
            # The bare forms are aliases; the document names each route once.
            Router("/", route_handlers=api, include_in_schema=False),
            *own,
            *extra_routes(host, core),
        ],
        debug=False,
        exception_handlers={Exception: handle_exception},
        logging_config=None,
        openapi_config=None,
        request_class=JsonRequest,
        request_max_body_size=None,  # the door has read the body and held it against the limit
    )
    inner = Direct(app, partial(Litestar.__call__, app))
    app.door = Door(config, keys, lambda: host.accepting, inner, inner.methods)
    return app


def _api_routes(host: JanHost) -> list[HTTPRouteHandler]:
    return [
        *model_routes(host),
        *chat_routes(host),
        *completion_routes(host),
        *vector_routes(host),
        *rerank_routes(host),
        *download_routes(host),
        *event_routes(host),
        *plugin_routes(host),
    ]

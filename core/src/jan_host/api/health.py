"""``/health``, ``/ready``, and ``/`` for whoever comes by with a browser."""

from typing import Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from jan_host.api.errors import shutting_down
from jan_host.api.operation import operation
from jan_host.api.version import VERSION
from jan_host.host import JanHost


class Health(msgspec.Struct, kw_only=True):
    """The process lives."""

    status: Literal["ok"] = "ok"
    name: Literal["jan-host"] = "jan-host"
    version: str = VERSION


class Ready(msgspec.Struct, kw_only=True):
    """The host takes work."""

    status: Literal["ready"] = "ready"


class About(msgspec.Struct, kw_only=True):
    """Who answers here, and where to go on."""

    name: Literal["jan-host"] = "jan-host"
    version: str = VERSION
    api: str = "/v1"
    docs: str = "/docs"
    openapi: str = "/openapi.json"


def health_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The routes about the host itself."""

    @get("/health", **operation("health", "Is the process alive", "Host"))
    async def health() -> Health:
        """Answers as long as the process lives. Needs no key."""
        return Health()

    @get("/ready", **operation("ready", "Does the host take work", "Host"))
    async def ready() -> Ready:
        """503 while the host is shutting down. Needs no key."""
        if not host.accepting:
            raise shutting_down()
        return Ready()

    @get("/", **operation("about", "About this host", "Host"))
    async def about() -> About:
        """Names the host and where its API and documentation are."""
        return About()

    return [health, ready, about]

"""``GET /v1/plugins`` and ``GET /v1/engines``: what is installed, what is broken and why."""

from typing import Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from jan_host.api.operation import operation
from jan_host.contract.plugin import EngineReport, PluginReport
from jan_host.host import JanHost


class PluginList(msgspec.Struct, kw_only=True):
    """The answer to ``GET /v1/plugins``."""

    object: Literal["list"] = "list"
    data: list[PluginReport]


class EngineList(msgspec.Struct, kw_only=True):
    """The answer to ``GET /v1/engines``."""

    object: Literal["list"] = "list"
    data: list[EngineReport]


def plugin_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The plugin routes over a host."""

    @get("/plugins", **operation("list_plugins", "List plugins", "Plugins"))
    async def list_plugins() -> PluginList:
        """All plugins, the broken ones with what is wrong and what to do."""
        return PluginList(data=list(host.plugins.reports()))

    @get("/engines", **operation("list_engines", "List engines", "Plugins"))
    async def list_engines() -> EngineList:
        """The engines that are installed, with the settings that each knows."""
        return EngineList(data=list(host.plugins.engine_reports()))

    return [list_plugins, list_engines]

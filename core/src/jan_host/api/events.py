"""``GET /v1/events``: what happens in the host, as server-sent events."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from jan_host.api.exchange import Exchange
from jan_host.api.operation import operation
from jan_host.api.sse import EventStream, named_event
from jan_host.contract.events import Event
from jan_host.host import JanHost

GREETING = b"retry: 2000\n: events follow\n"
"""Sent at once: whoever has read it misses nothing that happens from then on."""
RESUME = "last-event-id"
"""The header with which a client that lost its connection says what it has seen."""

_encode = msgspec.json.Encoder().encode


def event_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The event route over a host."""

    @get("/events", **operation("list_events", "Follow events", "Events", events=Event))
    async def list_events(request: Request[Any, Any, Any]) -> ASGIApp:
        """Downloads, models' states and changes of the library, as they happen.

        Each event's name is the `type` of its data. The stream goes on until one side ends it. A
        client that comes back with `Last-Event-ID` gets what it missed; where that is no longer
        kept, an `events.missed` comes first, and the state is to be asked for anew.
        """
        Exchange.of(request.scope).lasting = True
        seen = request.headers.get(RESUME)
        return EventStream(
            host.follow(seen),
            write=_write,
            greeting=GREETING + (b"" if seen else b"id: " + host.last_event_id.encode() + b"\n") + b"\n",
        )

    return [list_events]


def _write(numbered: tuple[str, Event]) -> bytes:
    event_id, event = numbered
    return f"id: {event_id}\n".encode() + named_event(str(event.__struct_config__.tag), _encode(event))

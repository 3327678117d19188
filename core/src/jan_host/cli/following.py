"""The server's events as its client sees them: the connection may break, no event is lost."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from jan_host.cli.client import Server, error_of
from jan_host.contract.errors import UnavailableError

PATIENCE_SECONDS = 60.0
"""Longer than the pings of a server that has nothing to tell are apart."""
PAUSE_SECONDS = 1.0
ATTEMPTS = 5
"""How often a connection is tried again that brought nothing."""


def follow(server: Server) -> Iterator[dict[str, Any]]:
    """Every event from now on; after a break, those that were missed.

    Raises:
        JanHostError: What the server answered instead.
        UnavailableError: It is gone for good.
    """
    seen: dict[str, str] = {}
    failures = 0
    while True:
        try:
            for event in _stream(server, seen):
                failures = 0
                yield event
        except httpx.HTTPError:
            pass
        failures += 1
        if failures > ATTEMPTS:
            raise UnavailableError(f"The server at {server.url} has ended.")
        time.sleep(PAUSE_SECONDS)


def _stream(server: Server, seen: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The events of one connection; `seen` holds the header to come back with."""
    url, headers = f"{server.url}/v1/events", {**server.headers, **seen}
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False) as reply:
        if reply.is_error:
            raise error_of(reply.read(), reply.status_code)
        for line in reply.iter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                seen["Last-Event-ID"] = value
            elif field == "data":
                yield msgspec.json.decode(value)

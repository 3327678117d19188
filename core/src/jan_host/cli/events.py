"""``jan-host events``: what happens in the server, as it happens."""

import time
from collections.abc import Callable
from typing import Any

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.following import follow
from jan_host.cli.output import say, size
from jan_host.cli.session import Session, shared_options


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@shared_options
@click.pass_obj
def events(session: Session, as_json: bool) -> None:
    """Follow what happens in the server until Ctrl-C."""
    for event in follow(Server.require(session)):
        if as_json:
            click.echo(msgspec.json.encode(event))
        else:
            say(f"{time.strftime('%H:%M:%S')}  {describe(event)}")


def describe(event: dict[str, Any]) -> str:
    """An event in words."""
    words = WORDS.get(event["type"])
    return words(event) if words else msgspec.json.encode(event).decode()  # of a newer server


def _status(event: dict[str, Any]) -> str:
    return f"{event['model']}: {event['status']}" + _because(event["reason"])


def _progress(event: dict[str, Any]) -> str:
    return f"{event['model']}: {event['progress']:.0%} loaded"


def _library(event: dict[str, Any]) -> str:
    return f"The models on disk changed: {', '.join(event['models'])}"


def _download(event: dict[str, Any]) -> str:
    info = event["download"]
    received = size(info["received"]) or "0 B"
    share = f"{received} of {size(info['total'])}" if info["total"] else received
    return f"Download of {info['model']}: {info['status']}, {share}" + _because(info["error"])


def _extra(event: dict[str, Any]) -> str:
    return f"{event['name']}: {msgspec.json.encode(event['data']).decode()}"


def _missed(event: dict[str, Any]) -> str:
    return "Some events were missed"


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "model.status": _status,
    "model.progress": _progress,
    "library.changed": _library,
    "download": _download,
    "extra": _extra,
    "events.missed": _missed,
}
"""How each type of event is told."""

"""``jan-host start``, ``stop`` and ``ps``: what the running server has in memory."""

import time
from collections.abc import Mapping
from typing import Any

import click

from jan_host.cli.client import Server
from jan_host.cli.output import say, say_table, size
from jan_host.cli.session import Session, shared_options
from jan_host.contract.errors import ValidationError

IN_MEMORY = ("starting", "running", "stopping", "failed")


@click.command()
@click.argument("model")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting, over model.json's.")
@click.option("--keep-alive", metavar="TIME", help="How long it stays when idle: 10m, 1h, 0, or -1 for ever.")
@shared_options
@click.pass_obj
def start(session: Session, model: str, settings: tuple[str, ...], keep_alive: str | None) -> None:
    """Load a model on the running server; answers when it is ready."""
    overrides = dict(_pair(setting) for setting in settings)
    if keep_alive is not None:
        overrides["keep_alive"] = keep_alive
    body = {"settings": overrides} if overrides else None
    server = Server.require(session)
    info = server.call("PUT", f"{server.path(model)}/start", body)
    say(f"{info['id']} is {info['status']}; it can: {', '.join(info['capabilities'])}")


def _pair(setting: str) -> tuple[str, Any]:
    name, equals, value = setting.partition("=")
    if not equals or not name:
        raise ValidationError(f"Write a setting as NAME=VALUE; {setting!r} is not.")
    return name, value


@click.command()
@click.argument("model")
@shared_options
@click.pass_obj
def stop(session: Session, model: str) -> None:
    """Free a model's memory on the running server, after its requests have ended."""
    server = Server.require(session)
    info = server.call("PUT", f"{server.path(model)}/stop")
    say(f"{info['id']} is {info['status']}")


@click.command()
@shared_options
@click.pass_obj
def ps(session: Session) -> None:
    """Show what the running server has in memory."""
    server = Server.require(session)
    loaded = [model for model in server.models() if model["status"] in IN_MEMORY]
    if not loaded:
        say(f"{server.url} has no model in memory; a request starts one.")
        return
    now = time.time()
    rows = [
        (
            model["id"],
            model["status"],
            model["requests"],
            size(model["memory"]),
            stays(model, now),
            model["engine"],
            ", ".join(model["capabilities"]),
        )
        for model in loaded
    ]
    say_table(("MODEL", "STATUS", "REQUESTS", "MEMORY", "LEAVES", "ENGINE", "CAN"), rows)
    for model in loaded:
        if model["status_reason"]:
            say(f"{model['id']}: {model['status_reason']}")


def stays(model: Mapping[str, Any], now: float) -> str:
    """When a model leaves memory: ``in 12 minutes``, ``pinned``, or nothing while it is used.

    Args:
        model: As ``GET /v1/models`` shows it.
        now: Unix time in seconds.
    """
    if model["status"] != "running":
        return ""
    if model["pinned"]:
        return "pinned"
    if model["expires_at"] is None:
        return "" if model["requests"] else "when needed"
    seconds = max(0, model["expires_at"] - now)
    for length, unit in ((3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = round(seconds / length)
            return f"in {count} {unit}{'' if count == 1 else 's'}"
    return f"in {round(seconds)} s"

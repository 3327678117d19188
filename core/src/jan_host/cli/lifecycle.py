"""``jan-host start``, ``stop`` and ``ps``: what the running server has in memory."""

from typing import Any

import click

from jan_host.cli.client import Server
from jan_host.cli.output import say, say_table
from jan_host.cli.session import Session, shared_options
from jan_host.contract.errors import ValidationError

IN_MEMORY = ("starting", "running", "stopping", "failed")


@click.command()
@click.argument("model")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting, over model.json's.")
@shared_options
@click.pass_obj
def start(session: Session, model: str, settings: tuple[str, ...]) -> None:
    """Load a model on the running server; answers when it is ready."""
    overrides = dict(_pair(setting) for setting in settings)
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
    rows = [
        (model["id"], model["status"], model["requests"], model["engine"], ", ".join(model["capabilities"]))
        for model in loaded
    ]
    say_table(("MODEL", "STATUS", "REQUESTS", "ENGINE", "CAN"), rows)
    for model in loaded:
        if model["status_reason"]:
            say(f"{model['id']}: {model['status_reason']}")

"""``jan-host models``, ``show`` and ``rm``: what there is, told by the server if one runs."""

from typing import Any

import click
import msgspec

from jan_host.cli.changing import set_
from jan_host.cli.client import Server
from jan_host.cli.layers import show_layers
from jan_host.cli.local import locally
from jan_host.cli.migrate import migrate
from jan_host.cli.output import say, say_table, size
from jan_host.cli.session import Session, shared_options
from jan_host.cli.validate import validate
from jan_host.host import JanHost

FEW = 3
"""Names in one sentence."""


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@shared_options
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the models; or show, check or rewrite what describes them."""
    if ctx.invoked_subcommand is None:
        _show_list(ctx.ensure_object(Session), as_json=as_json)


def _show_list(session: Session, *, as_json: bool) -> None:
    server = Server.find(session)
    found = server.models() if server else locally(session, _list)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    if not found:
        say(f"No models yet in {session.config().models_folder}. Bring one with: jan-host quickstart")
        return
    rows = [
        (model["id"], model["status"], model["engine"], size(model["metadata"].get("size")))
        for model in found
    ]
    say_table(("MODEL", "STATUS", "ENGINE", "SIZE"), rows)
    for model in found:
        if model["status_reason"]:
            say(f"{model['id']}: {model['status_reason']}")
    warned = [model["id"] for model in found if model["warnings"]]
    if warned:
        say(f"There are warnings about {_few(warned)}. See: jan-host show {warned[0]}")


def _few(names: list[str]) -> str:
    """The names; of many, the first and how many more there are."""
    more = len(names) - FEW
    return ", ".join(names[:FEW]) + (f" and {more} more" if more > 0 else "")


async def _list(host: JanHost) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(info) for info in host.models()]


@click.command()
@click.argument("model")
@click.option("--layers", is_flag=True, help="Tell where each setting and parameter comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with --layers too.")
@shared_options
@click.pass_obj
def show(session: Session, model: str, layers: bool, as_json: bool) -> None:
    """Show one model in full."""
    if layers:
        show_layers(session, model, as_json=as_json)
        return
    server = Server.find(session)

    async def get(host: JanHost) -> dict[str, Any]:
        info: dict[str, Any] = msgspec.to_builtins(host.model(model))
        return info

    found = server.model(model) if server else locally(session, get)
    click.echo(msgspec.json.format(msgspec.json.encode(found)))


@click.command()
@click.argument("model")
@shared_options
@click.pass_obj
def rm(session: Session, model: str) -> None:
    """Remove a model: what jan-host brought or owns of it."""
    server = Server.find(session)
    if server:
        server.model(model, "DELETE")
    else:
        locally(session, lambda host: host.delete(model))
    say(f"Removed {model}")


for command in (show, set_, validate, migrate):
    models.add_command(command)

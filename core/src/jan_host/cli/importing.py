"""``jan-host import`` and ``jan-host export``: models of this machine's disks."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.discovering import discover
from jan_host.cli.local import locally
from jan_host.cli.output import console_for, say
from jan_host.cli.session import Session, shared_options
from jan_host.config import URL_VARIABLE
from jan_host.host import LocalImport

DONE = {
    "link": "is linked: its files stay where they are",
    "copy": "is copied",
    "move": "is moved here",
}


@click.command(name="import")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--link", "mode", flag_value="link", help="Use the files where they are (the default).")
@click.option("--copy", "mode", flag_value="copy", help="Copy them; shares blocks where the disk can.")
@click.option("--move", "mode", flag_value="move", help="Move them into the models folder.")
@click.option("--id", "model_id", help="The id that the model shall have here.")
@click.option("--discover", "is_discovery", is_flag=True, help="Link what other programs have brought here.")
@click.option("--yes", is_flag=True, help="With --discover: link all of it, and ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the models, or what was found, as JSON.")
@shared_options
@click.pass_obj
def import_(  # one parameter for each option
    session: Session,
    path: Path | None,
    mode: str | None,
    model_id: str | None,
    is_discovery: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a model of a file, or of a folder with one or several models.

    Linked files stay where they are, and are not deleted with the model. With --discover, models that
    other programs (Hugging Face, LM Studio, Ollama, Jan) have on this machine are found and linked.
    """
    if is_discovery:
        if path or mode or model_id:
            raise click.UsageError("--discover looks by itself: it takes no PATH, mode or --id.")
        discover(session, yes=yes, as_json=as_json)
        return
    if path is None:
        raise click.UsageError("Name a file or a folder, or write --discover.")
    request = LocalImport(path=os.path.abspath(path.expanduser()), mode=mode or "link", id=model_id)  # type: ignore[arg-type]  # click gives one of the three
    found = _import(session, request)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    for model in found:
        say(f"{model['id']} {DONE[request.mode]}. Ask it something: jan-host run {model['id']} 'Hello'")


def _import(session: Session, request: LocalImport) -> list[dict[str, Any]]:
    if session.url or os.environ.get(URL_VARIABLE):
        body = msgspec.to_builtins(request)
        data: list[dict[str, Any]] = Server.require(session).call("POST", "/v1/models/import", body)["data"]
        return data
    # A server of the same root sees by itself what has come.
    with _progress("Importing") as report:
        found = locally(session, lambda host: host.import_local(request, progress=report))
    return [msgspec.to_builtins(model) for model in found]


@click.command()
@click.argument("model")
@click.argument("path", type=click.Path(path_type=Path))
@shared_options
@click.pass_obj
def export(session: Session, model: str, path: Path) -> None:
    """Copy a model into a new folder PATH: its files, and a model.json in canonical form."""
    target = Path(os.path.abspath(path.expanduser()))
    with _progress("Exporting") as report:
        locally(session, lambda host: host.export(model, target, report))
    say(f"{model} is in {target}. On another machine: jan-host import --copy {target.name}")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar in a terminal, for what takes long."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console_for(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)

"""``jan-host import --discover``: models of other programs are shown and linked."""

import sys
from collections.abc import Sequence

import click
import msgspec

from jan_host.cli.local import locally
from jan_host.cli.output import console_for, say, say_table, size
from jan_host.cli.session import Session
from jan_host.host import Found, JanHost


def discover(session: Session, *, yes: bool, as_json: bool) -> None:
    """Show what there is and is not linked yet; link it where the user agrees."""

    async def work(host: JanHost) -> None:
        with console_for(stderr=True).status("Looking for models of other programs"):
            found = await host.discover()
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(found, enc_hook=str)))
        else:
            _show(found)
        if found and (yes or (not as_json and _agrees(len(found)))):
            linked = await host.link(found)
            if not as_json:
                say(f"Linked: {', '.join(model.id for model in linked)}")

    locally(session, work)


def _show(found: Sequence[Found]) -> None:
    if not found:
        say("No program on this machine has models that are not here already.")
        return
    rows = [
        (each.model.id, each.model.format, size(each.size), each.importer, str(each.place)) for each in found
    ]
    say_table(("MODEL", "FORMAT", "SIZE", "FOUND BY", "WHERE"), rows)


def _agrees(count: int) -> bool:
    """Ask, where somebody is there to answer."""
    if not sys.stdin.isatty():
        say("To link them all, without a copy: jan-host import --discover --yes")
        return False
    return click.confirm(f"Link {'it' if count == 1 else f'these {count}'}? Nothing is copied")

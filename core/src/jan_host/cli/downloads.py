"""``jan-host downloads``: what is being fetched, and what can be resumed or cancelled."""

import asyncio

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.local import locally
from jan_host.cli.output import say, say_table
from jan_host.cli.progress import follow_download
from jan_host.cli.pull import ended
from jan_host.cli.session import Session, shared_options
from jan_host.contract.errors import DownloadNotFoundError
from jan_host.contract.events import DownloadInfo
from jan_host.contract.quantities import bytes_in_words
from jan_host.host import JanHost


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@shared_options
@click.pass_context
def downloads(ctx: click.Context, as_json: bool) -> None:
    """List downloads: what is on its way, and what can be resumed."""
    if ctx.invoked_subcommand is not None:
        return
    session = ctx.ensure_object(Session)
    server = Server.find(session)
    found = server.downloads() if server else locally(session, _list)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif not found:
        say("No downloads.")
    else:
        say_table(("ID", "MODEL", "STATUS", "RECEIVED", "OF", "ORIGIN"), [_row(info) for info in found])
        _say_errors(found)


@downloads.command()
@click.argument("name", metavar="ID")
@click.option("--drop", is_flag=True, help="Delete what has come; else a resume goes on from it.")
@shared_options
@click.pass_obj
def cancel(session: Session, name: str, drop: bool) -> None:
    """End a download. ID is the download's, or its model's."""
    server = Server.find(session)
    if server:
        info = _find(server.downloads(), name)
        info = server.download(info.id, method="DELETE", action="?drop=true" if drop else "")
    else:
        info = locally(session, lambda host: _cancel(host, name, drop=drop))
    kept = "What had come is deleted." if drop else f"To go on: jan-host downloads resume {info.id}"
    say(f"The download of {info.model} is {info.status}. {kept}")


@downloads.command()
@click.argument("name", metavar="ID")
@shared_options
@click.pass_obj
def resume(session: Session, name: str) -> None:
    """Go on with a download that failed or was cancelled. ID is the download's, or its model's."""
    server = Server.find(session)
    info = _resume_there(server, name) if server else locally(session, lambda host: _resume(host, name))
    say(f"{info.model} is here. Ask it something: jan-host run {info.model} 'Hello'")


def _resume_there(server: Server, name: str) -> DownloadInfo:
    begun = server.download(_find(server.downloads(), name).id, method="POST", action="/resume")

    async def snapshot() -> DownloadInfo:
        return await asyncio.to_thread(server.download, begun.id)

    return ended(asyncio.run(follow_download(snapshot)))


async def _resume(host: JanHost, name: str) -> DownloadInfo:
    begun = await host.downloads.resume(_find(host.downloads.list(), name).id)

    async def snapshot() -> DownloadInfo:
        return host.downloads.get(begun.id)

    await follow_download(snapshot)
    return ended(await host.downloads.wait(begun.id))


async def _cancel(host: JanHost, name: str, *, drop: bool) -> DownloadInfo:
    return await host.downloads.cancel(_find(host.downloads.list(), name).id, drop=drop)


async def _list(host: JanHost) -> list[DownloadInfo]:
    return host.downloads.list()


def _find(found: list[DownloadInfo], name: str) -> DownloadInfo:
    """The download of this id, else the newest of this model.

    Raises:
        DownloadNotFoundError: There is none.
    """
    matching = [info for info in found if info.id == name] or [info for info in found if info.model == name]
    if not matching:
        raise DownloadNotFoundError(f"There is no download {name!r}. See: jan-host downloads")
    return max(matching, key=lambda info: info.created)


def _row(info: DownloadInfo) -> tuple[str, ...]:
    total = bytes_in_words(info.total) if info.total is not None else "?"
    return (info.id, info.model, info.status, bytes_in_words(info.received), total, info.origin)


def _say_errors(found: list[DownloadInfo]) -> None:
    for info in found:
        if info.error:
            say(f"{info.model}: {info.error} To go on: jan-host downloads resume {info.id}")

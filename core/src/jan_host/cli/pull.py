"""``jan-host pull``: plan, show, download with progress; through the server where one runs."""

import asyncio
import os
from contextlib import AbstractContextManager
from pathlib import Path

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.local import locally
from jan_host.cli.output import console_for, printable, say
from jan_host.cli.plans import say_choice, show_plan
from jan_host.cli.progress import follow_download
from jan_host.cli.session import Session, shared_options
from jan_host.config import URL_VARIABLE
from jan_host.contract.errors import DownloadError
from jan_host.contract.events import DownloadInfo
from jan_host.contract.importer import ImportPlan, PullRequest
from jan_host.host import JanHost


@click.command()
@click.argument("origin")
@click.option("--importer", help="The importer's name, in place of NAME: in front of the origin.")
@click.option("--variant", help="Which of the origin's variants, such as a quantization.")
@click.option("--id", "model_id", help="The id that the model shall have here.")
@click.option("--dry-run", is_flag=True, help="Show what there is and what would be fetched; fetch nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the plan (or, at the end, the download) as JSON."
)
@shared_options
@click.pass_obj
def pull(  # one parameter for each option
    session: Session,
    origin: str,
    importer: str | None,
    variant: str | None,
    model_id: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring a model here.

    ORIGIN is a URL, a file or folder, the id of a model whose files are not here yet, or
    NAME:REFERENCE, where NAME is an importer's. Of several variants the best that fits into this
    machine's memory is taken.
    """
    request = PullRequest(origin=_absolute(origin), import_format=importer, variant=variant, id=model_id)
    server = Server.find(session)
    if dry_run:
        plan = _plan(server, session, request)
        if as_json:
            _print_json(plan)
        else:
            show_plan(plan, origin, session.config().models_folder if _is_here(session) else None)
        return
    info = _through(server, request) if server else _alone(session, request)
    if as_json:
        _print_json(info)
    else:
        say(f"{info.model} is here. Ask it something: jan-host run {info.model} 'Hello'")


def _absolute(origin: str) -> str:
    """A path that the user typed as the server can find it; any other origin as it stands.

    What exists here as a file or folder is meant as such, unless an importer is named in front.
    """
    try:
        path = Path(origin).expanduser()
        return str(path.absolute()) if path.exists() else origin
    except (OSError, ValueError, RuntimeError):  # too long for a path, a NUL in it, an unknown user
        return origin


def _is_here(session: Session) -> bool:
    """Whether the models folder of this root is the one that is meant."""
    return not (session.url or os.environ.get(URL_VARIABLE))


def _plan(server: Server | None, session: Session, request: PullRequest) -> ImportPlan:
    with _looking_for(request):
        if server:
            return server.plan(request)
        return locally(session, lambda host: host.plan(request))


def _looking_for(request: PullRequest) -> AbstractContextManager[object]:
    """Show that something goes on, in a terminal."""
    from rich.text import Text

    return console_for(stderr=True).status(Text(f"Looking for {printable(request.origin)}"))


def _print_json(value: object) -> None:
    # A path is the one thing in a plan that JSON has no form for.
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode())


def _through(server: Server, request: PullRequest) -> DownloadInfo:
    """Let the running server pull, and show how far it is."""
    with _looking_for(request):
        say_choice(server.plan(request), request)
        begun = server.pull(request)

    async def snapshot() -> DownloadInfo:
        return await asyncio.to_thread(server.download, begun.id)

    try:
        info = asyncio.run(follow_download(snapshot))
    except KeyboardInterrupt:
        say(
            "The server goes on fetching. To see it: jan-host downloads; to end it: jan-host downloads cancel"
            f" {begun.id}",
            stderr=True,
        )
        raise
    return ended(info)


def _alone(session: Session, request: PullRequest) -> DownloadInfo:
    """Pull in this process."""
    try:
        return locally(session, lambda host: fetch(host, request))
    except KeyboardInterrupt:
        say("Interrupted. The same command goes on from here.", stderr=True)
        raise


async def fetch(host: JanHost, request: PullRequest) -> DownloadInfo:
    """Pull in this process, with bars in the terminal, until the model is in the library.

    Raises:
        JanHostError: Why it could not be brought.
    """
    with _looking_for(request):
        say_choice(await host.plan(request), request)
        begun = await host.pull(request)

    async def snapshot() -> DownloadInfo:
        return host.downloads.get(begun.id)

    await follow_download(snapshot)
    return ended(await host.downloads.wait(begun.id))


def ended(info: DownloadInfo) -> DownloadInfo:
    """The download, if it is done.

    Raises:
        DownloadError: It failed or was cancelled; says how to go on.
    """
    if info.status == "done":
        return info
    why = f"failed: {info.error}" if info.error else f"was {info.status}."
    raise DownloadError(f"The download of {info.model} {why} To go on: jan-host downloads resume {info.id}")

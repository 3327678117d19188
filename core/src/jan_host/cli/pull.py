"""``jan-host pull``: plan, show, download with progress."""

import asyncio

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from jan_host.cli.models import locally
from jan_host.cli.output import say, say_table, size
from jan_host.cli.session import Session, shared_options
from jan_host.contract.events import DownloadInfo
from jan_host.contract.importer import ImportPlan, PullRequest
from jan_host.host import JanHost

FRAME_SECONDS = 0.1


@click.command()
@click.argument("origin")
@click.option("--importer", help="The importer's name, in place of NAME: in front of the origin.")
@click.option("--variant", help="Which of the origin's variants, such as a quantization.")
@click.option("--id", "model_id", help="The id that the model shall have here.")
@click.option("--dry-run", is_flag=True, help="Show what would be fetched, and fetch nothing.")
@shared_options
@click.pass_obj
def pull(
    session: Session,
    origin: str,
    importer: str | None,
    variant: str | None,
    model_id: str | None,
    dry_run: bool,
) -> None:
    """Bring a model here. ORIGIN is a URL or NAME:REFERENCE, where NAME is an importer's."""
    request = PullRequest(origin=origin, import_format=importer, variant=variant, id=model_id)
    if dry_run:
        show_plan(locally(session, lambda host: host.plan(request)))
        return
    try:
        info = locally(session, lambda host: fetch(host, request))
    except KeyboardInterrupt:
        say("Interrupted. The same command goes on from here.", stderr=True)
        raise
    say(f"{info.model} is here. Ask it something: jan-host run {info.model} 'Hello'")


async def fetch(host: JanHost, request: PullRequest) -> DownloadInfo:
    """Pull, with a bar in the terminal, and wait until the model is in the library.

    Raises:
        JanHostError: Why it could not be brought.
    """
    console = Console(stderr=True, highlight=False, markup=False)
    with console.status(Text(f"Looking for {request.origin}")):
        info = await host.pull(request)
    ended = asyncio.create_task(host.downloads.wait(info.id))
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task(info.model, total=info.total)
            while not ended.done():
                now = host.downloads.get(info.id)
                progress.update(bar, completed=now.received, total=now.total)
                await asyncio.wait([ended], timeout=FRAME_SECONDS)
            now = host.downloads.get(info.id)
            progress.update(bar, completed=now.received, total=now.total)
        return await ended
    finally:
        ended.cancel()


def show_plan(plan: ImportPlan) -> None:
    """Print what a pull would do."""
    say(f"{plan.model.id}, through the importer {plan.importer}")
    rows = [(asset.filename, size(asset.size), (asset.sha256 or "")[:16]) for asset in plan.assets]
    say_table(("FILE", "TO FETCH", "SHA256"), rows)
    if len(plan.variants) > 1:
        offered = [
            (
                "*" if variant.name == plan.variant else "",
                variant.name,
                size(variant.size),
                variant.description,
            )
            for variant in plan.variants
        ]
        say_table(("", "VARIANT", "SIZE", ""), offered)
    for sentence in [plan.reason, *plan.warnings]:
        if sentence:
            say(sentence)

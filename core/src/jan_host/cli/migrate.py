"""``jan-host models migrate``: model.json files in canonical form, beside what they were."""

from pathlib import Path

import click

from jan_host.cli.output import say
from jan_host.cli.reading import library_at, library_of
from jan_host.cli.session import Session, shared_options
from jan_host.contract.errors import ConflictError, ModelBrokenError, ModelNotFoundError
from jan_host.library import Entry, Library


@click.command()
@click.argument("model", required=False, metavar="[ID|PATH]")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@shared_options
@click.pass_obj
def migrate(session: Session, model: str | None, dry_run: bool) -> int:
    """Rewrite model.json files in canonical form; what each was stays beside it as model.json.bak.

    Without an ID or a PATH, all models of jan-host's own folder. What a file says and the canonical form has
    no field for is kept in its metadata, under "unused". Comments are in the backup alone.
    """
    library, entries = _chosen(session, model)
    rewritten = failed = 0
    for entry in entries:
        try:
            rewritten += _migrate(library, entry, dry_run=dry_run)
        except ModelBrokenError as error:
            failed += 1
            say(f"{entry.file}: not rewritten: {error.message}", stderr=True)
    done = "would be rewritten" if dry_run else "rewritten"
    say(f"{rewritten} of {len(entries)} model.json files {done}.")
    return 1 if failed else 0


def _chosen(session: Session, model: str | None) -> tuple[Library, list[Entry]]:
    """The entries that have a model.json to rewrite.

    Raises:
        ConflictError: What was named lies in a folder that is used in place.
        ModelNotFoundError: There is none of that name.
    """
    library = library_of(session)
    if model is None:
        return library, [entry for entry in library.entries() if entry.file and entry.owned]
    try:
        chosen = [library.get(model)]
    except ModelNotFoundError:
        path = Path(model)
        library = library_at(session, path)
        chosen = library.inside(path)
    config = session.config()
    for entry in chosen:
        if any(entry.folder.is_relative_to(root) for root in config.library_folders):
            raise ConflictError(
                f"The model {entry.model.id} lies in {entry.folder}, which is used in place and never written"
                " to."
            )
    return library, [entry for entry in chosen if entry.file]


def _migrate(library: Library, entry: Entry, *, dry_run: bool) -> bool:
    """Rewrite one file; whether it needed it."""
    migration = library.migration(entry)
    if migration is None or not migration.is_needed:
        return False
    if dry_run:
        say(migration.diff())
    else:
        say(f"{migration.file}: rewritten; what it was is in {migration.carry_out().name}")
    return True

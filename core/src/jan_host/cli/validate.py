"""``jan-host models validate``: what is wrong with model.json files, and where."""

from pathlib import Path

import click
import msgspec

from jan_host.cli.output import say
from jan_host.cli.reading import library_at, library_of
from jan_host.cli.session import Session, shared_options
from jan_host.contract.errors import ModelNotFoundError
from jan_host.library import Entry, Library, Problem


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@shared_options
@click.pass_obj
def validate(session: Session, path: Path | None, as_json: bool) -> int:
    """List what is wrong with a model.json, the models in a folder, or all models.

    The exit code is 1 when something is wrong.
    """
    if path is None:
        library = library_of(session)
        entries = list(library.entries())
    else:
        library = library_at(session, path)
        entries = _entries_at(library, path)
    problems = library.problems(entries)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(problems)))
    else:
        for problem in problems:
            say(_line(problem))
        say(_summary(problems, len(entries)))
    return 1 if problems else 0


def _entries_at(library: Library, path: Path) -> list[Entry]:
    entries = library.inside(path)
    if path.is_file() and not entries:
        raise ModelNotFoundError(
            f"{path} does not describe a model: it has no field that only a model.json has."
        )
    return entries


def _line(problem: Problem) -> str:
    """A problem as compilers write it, so that editors find the place."""
    place = f":{problem.line}:{problem.column}" if problem.line else ""
    return f"{problem.file}{place}: {problem.level}: {problem.message}"


def _summary(problems: list[Problem], count: int) -> str:
    models = "1 model" if count == 1 else f"{count} models"
    errors = sum(problem.level == "error" for problem in problems)
    if not problems:
        return f"Nothing is wrong with {models}."
    return f"{models}: {_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

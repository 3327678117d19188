"""How results look in the terminal: tables, sizes, progress."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from jan_host.contract.quantities import bytes_in_words

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 1000
"""What is read by a program is not folded."""

MOST_BYTES = 10**18
"""More is no size of a file."""


def say(text: str, *, stderr: bool = False) -> None:
    """Print a text; terminals wrap it, and what could steer them is taken out."""
    click.echo("\n".join(printable(line) for line in text.split("\n")), err=stderr)


def console_for(*, stderr: bool) -> "Console":
    """Standard output or error for tables and bars; texts from outside must be escaped for it."""
    from rich.console import Console  # `jan-host --help` does without rich

    console = Console(stderr=stderr, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console


def printable(text: str) -> str:
    """A text on one line, without what could steer a terminal: names and reasons come from files."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def say_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a plain table, a line for each row: nothing is cut or folded, so that ids can be copied."""
    from rich.cells import cell_len  # `jan-host --help` does without rich

    cells = [list(columns), *([printable("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(cell_len(row[place]) for row in cells) for place in range(len(columns))]
    head, *lines = (
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    )
    click.echo("\n".join([click.style(head, bold=True), *lines]))


def size(count: object) -> str:
    """A number of bytes for people, in decimal units; empty when it is none, as a model.json may have it."""
    if isinstance(count, bool) or not isinstance(count, int | float) or not 0 < count < MOST_BYTES:
        return ""
    return bytes_in_words(round(count))

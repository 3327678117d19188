"""How results look in the terminal: tables, sizes, progress."""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

UNITS = ("B", "kB", "MB", "GB", "TB")


def console(*, stderr: bool = False) -> Console:
    """A console that leaves ids, paths and messages as they are: no markup, no highlighting."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Text:
    """A plain table, a line for each row: nothing is cut or folded, so that ids can be copied."""
    cells = [list(columns), *([_word(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[place]) for row in cells) for place in range(len(columns))]
    lines = [
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    shown = Text("\n".join(line.rstrip() for line in lines))
    shown.stylize("bold", 0, len(lines[0]))
    return shown


def _word(cell: Any) -> str:
    """A value on one line, without what could steer the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in str("" if cell is None else cell))


def size(count: int | float | None) -> str:
    """A number of bytes for people, in decimal units; empty when unknown."""
    if not count:
        return ""
    value = float(count)
    for unit in UNITS:
        if value < 1000 or unit == UNITS[-1]:
            return f"{value:.0f} {unit}" if unit in UNITS[:2] else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable: the last unit takes every value")

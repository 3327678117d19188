"""A plan in the terminal: what there is to choose from, what is taken and why, and what that brings."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from jan_host.cli.output import console_for, printable
from jan_host.contract.importer import ImportPlan, PullRequest, Variant, fetch_size
from jan_host.contract.quantities import bytes_in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_FILES = 8
"""So many files are listed one by one."""
NARROW = 72
"""Below so many columns the table has no room for words."""


def show_plan(plan: ImportPlan, origin: str, models_folder: Path | None) -> None:
    """Print what a pull would do.

    Args:
        plan: From the host.
        origin: As the user wrote it.
        models_folder: Where the model would go, when that is on this machine.
    """
    console = console_for(stderr=False)
    console.print(
        f"[bold]{_text(plan.model.id)}[/]  [dim]from {_text(plan.origin)}, importer {_text(plan.importer)}[/]"
    )
    if len(plan.variants) > 1:
        console.print(_variants(plan, console))
    elif plan.variants:
        console.print(_need(plan.variants[0]))
    if plan.reason:
        console.print(f"{_mark(console, '★', '*')} {_text(plan.reason)}", style="green")
    for warning in plan.warnings:
        console.print(f"{_mark(console, '⚠', '!')} {_text(warning)}", style="yellow")
    _show_files(plan, console, models_folder)
    if len(plan.variants) > 1:
        console.print(f"Another one: jan-host pull {_text(origin)} --variant NAME", style="dim")


def say_choice(plan: ImportPlan, request: PullRequest) -> None:
    """Tell on standard error what is taken of several that the user did not choose from, and what of it."""
    console = console_for(stderr=True)
    for warning in plan.warnings:
        console.print(f"{_mark(console, '⚠', '!')} {_text(warning)}", style="yellow")
    if len(plan.variants) < 2 or request.variant:
        return
    console.print(f"{_mark(console, '★', '*')} {_text(plan.reason or plan.variant or '')}", style="green")
    console.print(
        f"  {len(plan.variants)} variants; to see them: jan-host pull {_text(request.origin)} --dry-run; to"
        " take another: --variant NAME",
        style="dim",
    )


def _variants(plan: ImportPlan, console: "Console") -> "Table":
    from rich import box
    from rich.table import Table

    wide = console.width >= NARROW
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, header_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("VARIANT", overflow="fold" if console.is_terminal else "ignore")
    described = wide and any(variant.description for variant in plan.variants)
    if described:
        table.add_column("KIND")
    for heading in ("SIZE", "MEMORY"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("FITS", justify="center", no_wrap=True)
    for variant in sorted(plan.variants, key=lambda variant: variant.size or 0):
        taken = variant.name == plan.variant
        cells = [_mark(console, "★", "*") if taken else "", _text(variant.name)]
        cells += [_text(variant.description or "")] if described else []
        cells += [_size(variant.size), _memory(variant), _fits(variant, console)]
        table.add_row(*cells, style="bold" if taken else "")
    return table


def _size(size: int | None) -> str:
    return bytes_in_words(size) if size is not None else "?"


def _memory(variant: Variant) -> str:
    if variant.footprint is None:
        return "?"
    about = "" if variant.footprint.context else "~"
    return about + bytes_in_words(variant.footprint.ram + variant.footprint.device)


def _fits(variant: Variant, console: "Console") -> str:
    if variant.fits is None:
        return "?"
    if variant.fits:
        return f"[green]{_mark(console, '✓', 'yes')}[/]"
    return f"[red]{_mark(console, '✗', 'no')}[/]"


def _need(variant: Variant) -> str:
    context = variant.footprint.context if variant.footprint else None
    at = f" at {context:,} tokens of context" if context else ""
    return f"Memory: {_memory(variant)}{at}"


def _show_files(plan: ImportPlan, console: "Console", models_folder: Path | None) -> None:
    from rich.table import Table

    if not plan.assets:
        console.print("Nothing to fetch: the model runs somewhere else.")
        return
    total = fetch_size(plan.assets)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column("file", overflow="fold" if console.is_terminal else "ignore")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("hash", no_wrap=True, style="dim")
    for asset in plan.assets[:MOST_FILES]:
        hashed = f"sha256 {asset.sha256[:12]}" if asset.sha256 and console.width >= NARROW else ""
        table.add_row(f"  {_text(asset.filename)}", _size(asset.size), hashed)
    if len(plan.assets) > MOST_FILES:
        table.add_row(f"  and {len(plan.assets) - MOST_FILES} more", "", "")
    count = f"{len(plan.assets)} files" if len(plan.assets) > 1 else "1 file"
    console.print(f"To fetch: {count}, {_size(total)}")
    console.print(table)
    if models_folder is not None:
        console.print(f"To: {_text(str(models_folder / plan.model.id))}; {_room(total, models_folder)}")


def _room(total: int | None, folder: Path) -> str:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(place).free
    short = "[red]too little: [/]" if total is not None and total > free else ""
    return f"{short}{bytes_in_words(free)} free there"


def _mark(console: "Console", sign: str, plain: str) -> str:
    """A sign where the output can show it."""
    return sign if (console.encoding or "").lower().startswith("utf") else plain


def _text(text: str) -> str:
    """A text from outside: nothing in it steers the terminal or is markup."""
    from rich.markup import escape

    return escape(printable(text))

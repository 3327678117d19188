"""Downloads in the terminal: a bar for each file, speed and time left; a line now and then elsewhere."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from jan_host.cli.output import console_for, printable
from jan_host.contract.events import DownloadInfo, FileProgress
from jan_host.contract.quantities import bytes_in_words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

POLL_SECONDS = 0.2
LINE_SECONDS = 10.0
"""Where there is no terminal, so often a line is printed."""
MOST_BARS = 6
NARROW = 60
"""Below so many columns there is no room for bars."""

Snapshot = Callable[[], Awaitable[DownloadInfo]]


async def follow_download(snapshot: Snapshot) -> DownloadInfo:
    """Show a download until it has ended.

    Args:
        snapshot: Tells how far it is.

    Returns:
        How it ended.
    """
    console = console_for(stderr=True)
    if console.is_terminal:
        return await _follow_live(snapshot, console)
    return await _follow_in_lines(snapshot, console)


async def _follow_live(snapshot: Snapshot, console: "Console") -> DownloadInfo:
    from rich.live import Live

    info = await snapshot()
    with Live(render(info, console.width), console=console, auto_refresh=False, transient=False) as live:
        while info.active:
            await asyncio.sleep(POLL_SECONDS)
            info = await snapshot()
            live.update(render(info, console.width), refresh=True)
    return info


async def _follow_in_lines(snapshot: Snapshot, console: "Console") -> DownloadInfo:
    info = await snapshot()
    told = time.monotonic()
    console.print(in_words(info))
    while info.active:
        await asyncio.sleep(POLL_SECONDS)
        info = await snapshot()
        if time.monotonic() - told >= LINE_SECONDS or not info.active:
            told = time.monotonic()
            console.print(in_words(info))
    return info


def in_words(info: DownloadInfo) -> str:
    """A download in one line."""
    parts = [info.status, _share(info.received, info.total)]
    if info.active:
        parts += [_speed(info), _time_left(info)]
    return f"{printable(info.model)}: {', '.join(part for part in parts if part)}"


def render(info: DownloadInfo, width: int) -> "RenderableType":
    """The bars: of the files that move, and of all together."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="ellipsis", no_wrap=True, max_width=max(12, width // 3))
    with_bars = width >= NARROW
    if with_bars:
        table.add_column(ratio=1, min_width=10)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    # Room for the "^C" of an interrupt: a line that it makes too long is drawn twice.
    table.width = width - 2 if with_bars else None

    def row(name: str, received: int, total: int | None, words: str, style: str = "") -> None:
        bar = ProgressBar(total=total, completed=received) if with_bars else None
        cells = [Text(printable(name), style), bar, Text(_share(received, total)), Text(words)]
        table.add_row(*[cell for cell in cells if cell is not None])

    shown = _moving(info.files) if len(info.files) > 1 else []
    for file in shown:
        row(file.filename.rpartition("/")[2], file.received, file.total, _state(file))
    rest = len(info.files) - len(shown)
    if shown and rest:
        table.add_row(Text(f"and {rest} more files", "dim"))
    words = (
        " ".join(part for part in (_speed(info), _time_left(info)) if part) if info.active else info.status
    )
    row(info.model, info.received, info.total, words or info.status, "bold")
    return table


def _moving(files: Sequence[FileProgress]) -> list[FileProgress]:
    """The files to show: those that move first, then those that wait, then those that are done."""
    order = {"running": 0, "verifying": 0, "failed": 0, "waiting": 1, "done": 2}
    chosen = sorted(files, key=lambda file: order.get(file.status, 1))[:MOST_BARS]
    return [file for file in files if file in chosen]


def _state(file: FileProgress) -> str:
    return "" if file.status == "running" else file.status


def _share(received: int, total: int | None) -> str:
    if total is None:
        return bytes_in_words(received)
    return f"{bytes_in_words(received)} of {bytes_in_words(total)}"


def _speed(info: DownloadInfo) -> str:
    return f"{bytes_in_words(info.bytes_per_second)}/s" if info.bytes_per_second else ""


def _time_left(info: DownloadInfo) -> str:
    if info.seconds_left is None:
        return ""
    minutes, seconds = divmod(info.seconds_left, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"

"""Files that are not what their names promise."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from jan_host.contract.model import Model, Source

_HALF_AT_MOST = 1024 * 1024


def _half(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(min(path.stat().st_size // 2, _HALF_AT_MOST))


SPOILED: dict[str, Callable[[Path], bytes]] = {
    "random bytes": lambda path: Random(path.name).randbytes(64 * 1024),
    "empty": lambda path: b"",
    "cut off": _half,
}
"""What to write in place of a model's file, given the good one."""


def spoil(model: Model, folder: Path, target: Path, how: str) -> Model:
    """Write a spoiled copy of each of a model's files into `target`.

    Args:
        model: The good model.
        folder: Where its files are.
        target: An empty folder.
        how: A key of `SPOILED`, or ``"missing"`` to write nothing.

    Returns:
        The model with an id of its own, its sources inside `target`.
    """
    sources = []
    for number, path in enumerate(model.files(folder)):
        sources.append(Source(filename=path.name))
        if how != "missing":
            content = SPOILED[how](path)
            (target / path.name).write_bytes(content)
        assert path.name not in [source.filename for source in sources[:number]], "two files of one name"
    return msgspec.structs.replace(model, id=f"{model.id}-{how.replace(' ', '-')}", sources=sources)

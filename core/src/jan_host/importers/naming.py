"""From the names of files to a model: its id, its format, its parts."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from jan_host.contract.errors import ImportFailedError
from jan_host.contract.importer import Asset
from jan_host.contract.model import Model, Source

MOST_PARTS = 999

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
_NOT_IN_IDS = re.compile(r"[^\w.-]+")
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_GENERIC = frozenset({"model", "weights", "pytorch_model", "download", "resolve", "index"})


def parts_of(filename: str) -> list[str]:
    """All parts of a model that is split over several files, if `filename` is one of them; else itself.

    Raises:
        ImportFailedError: There are more than `MOST_PARTS`, or it is none of them.
    """
    part = _PART.fullmatch(filename)
    if part is None:
        return [filename]
    count = int(part["count"])
    if not 1 <= int(part["number"]) <= count <= MOST_PARTS:
        raise ImportFailedError(
            f"{filename[:200]!r} is no part of a model that anyone would split. Check the name."
        )
    return [f"{part['stem']}-{number:05}-of-{count:05}{part['suffix']}" for number in range(1, count + 1)]


def stem_of(filename: str) -> str:
    """What a model in this file is called, without suffix and part number."""
    part = _PART.fullmatch(filename)
    return part["stem"] if part else PurePosixPath(filename).stem


def format_of(filename: str) -> str:
    """The format that a file's suffix names; the host looks for an engine that runs it."""
    return PurePosixPath(filename).suffix.removeprefix(".").lower()


def safe_name(text: str | None) -> str | None:
    """The last part of a name from outside, fit for a file; ``None`` when nothing is left of it."""
    last = (text or "").replace("\\", "/").rpartition("/")[2]
    name = _NOT_IN_NAMES.sub("-", last).strip(" .")
    if not name.isprintable():
        return None
    return name[-200:].lstrip(" .") or None


def describe(
    assets: Sequence[Asset], *, main: str, home: str | None, importer: str, origin: str, asked_id: str | None
) -> Model:
    """The model.json of some files.

    Args:
        assets: The files, the one to load first.
        main: The filename that tells the model's name and format.
        home: The folder that the files come from; it gives the name where the file's tells nothing.
        importer: The importer's name.
        origin: Where the files come from, without secrets.
        asked_id: The id that the user asked for.
    """
    stem = stem_of(PurePosixPath(main).name)
    if stem.lower() in _GENERIC and home:
        stem = home
    sizes = [asset.size for asset in assets]
    size = None if None in sizes else sum(each or 0 for each in sizes)
    return Model(
        id=asked_id or _NOT_IN_IDS.sub("-", stem).strip("-.") or "model",
        name=stem,
        format=format_of(main),
        sources=[Source(filename=asset.filename, url=_public(asset.url)) for asset in assets],
        metadata={"size": size} if size else {},
        origin=origin,
        import_format=importer,
    )


def _public(url: str | None) -> str:
    """An address without user and password, query and fragment: what a model.json may say."""
    if url is None:
        return ""
    before, mark, behind = url.partition("://")
    host, slash, path = behind.partition("/")
    return before + mark + host.rpartition("@")[2] + slash + re.split(r"[?#]", path)[0]

"""What lies at a path that a user names: the models there, read as the library reads its own."""

import os
from pathlib import Path

from jan_host.contract.errors import ModelBrokenError, OriginNotFoundError
from jan_host.library import Entry
from jan_host.library.delete import files_of
from jan_host.library.documents import Documents
from jan_host.library.engines import Engines
from jan_host.library.entries import build
from jan_host.library.groups import split, split_root
from jan_host.library.scan import Scan, level


def examine(path: Path, engines: Engines) -> list[Entry]:
    """The models of a folder, broken ones included, or the one of a file.

    Raises:
        OriginNotFoundError: There is no such file or folder, or nothing in it.
        ModelBrokenError: The file is of no model that could be used; says why.
    """
    if path.is_dir():
        folder = Scan().look(path)
        groups = list(split(folder, Documents())) if folder else []
        entries = [entry for group in groups for entry in build(group, engines, owned=True)]
        if not entries:
            raise OriginNotFoundError(f"There is no model in {path}.", param="path")
        return entries
    if not path.is_file():
        raise OriginNotFoundError(f"There is no file or folder {path}.", param="path")
    return [_of_file(path, engines)]


def belongings(entry: Entry, *, is_alone: bool) -> dict[str, Path]:
    """The files of a model, by their paths in a folder of its own; its model.json is not among them.

    Args:
        entry: The model.
        is_alone: Whether it has its folder to itself: then all that lies there is its.
    """
    names = [source.filename.replace("\\", "/") for source in entry.model.sources]
    found = dict(zip(names, files_of(entry), strict=True))
    folder = Scan().look(entry.folder) if is_alone else None
    for name, _ in folder.all_files() if folder else ():
        if entry.folder / name != entry.file:
            found.setdefault(name, entry.folder / name)
    return found


def _of_file(path: Path, engines: Engines) -> Entry:
    """The model that a file belongs to, with the other files of it that lie beside it."""
    neighbours = level(path.parent)
    entries = [
        entry for group in split_root(neighbours, Documents()) for entry in build(group, engines, owned=True)
    ]
    found = [entry for entry in entries if entry.file == path or path in files_of(entry)]
    # What a JSON file says of it goes before what the file tells by itself.
    for entry in sorted(found, key=lambda entry: entry.file is None):
        if entry.problem is None:
            return entry
    problems = [reason for file, reason in engines.inspect([path], path.parent).problems if file == path]
    reasons = [entry.problem for entry in found if entry.problem] + problems
    unknown = f"No installed engine knows {path.name}. See: jan-host plugins"
    raise ModelBrokenError(
        f"{os.fspath(path)} can't be imported: {reasons[0] if reasons else unknown}", param="path"
    )

"""Which files belong together: a scan is cut into groups, each with the files of one or some models."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jan_host.library.documents import Document, Documents
from jan_host.library.scan import Folder, Stamp


@dataclass(slots=True, kw_only=True)
class Group:
    """Files that lie together. Two groups are equal when nothing changed."""

    path: Path
    files: dict[str, Stamp]
    """Paths from `path`, with forward slashes."""
    documents: dict[str, Document] = field(default_factory=dict)
    linked: bool = False
    is_root: bool = False
    """Whether it is what lies directly in a root: models beside each other, not files of one model."""
    is_whole: bool = False
    """Whether it is a folder with all that is in it."""
    problem: str | None = None


def split_root(root: Folder, documents: Documents) -> Iterator[Group]:
    """What lies directly in a root, without its folders, as one group."""
    if root.files or root.problem:
        found = documents.of(root)
        yield Group(
            path=Path(root.path), files=root.files, documents=found, is_root=True, problem=root.problem
        )


def split(folder: Folder, documents: Documents) -> Iterator[Group]:
    """The groups of a folder.

    - A folder with a JSON file that describes a model is one group, with all that is below.
    - A folder with files, and no such JSON file below, is one group too.
    - Any other folder only leads to groups; the files that lie in it are a group of their own.

    Args:
        folder: What was seen.
        documents: Reads the JSON files.
    """
    found = documents.of(folder)
    leads_on = not found and any(_describes_models(below, documents) for below in folder.folders)
    if found or (folder.files and not leads_on) or (folder.problem and not folder.folders):
        yield _whole(folder, found)
        return
    if folder.files:
        yield Group(path=Path(folder.path), files=folder.files, linked=folder.linked)
    for below in folder.folders:
        yield from split(below, documents)


def _describes_models(folder: Folder, documents: Documents) -> bool:
    return bool(documents.of(folder)) or any(_describes_models(below, documents) for below in folder.folders)


def _whole(folder: Folder, found: dict[str, Document]) -> Group:
    return Group(
        path=Path(folder.path),
        files=dict(folder.all_files()),
        documents=found,
        linked=folder.linked,
        is_whole=True,
        problem=next(folder.problems(), None),
    )

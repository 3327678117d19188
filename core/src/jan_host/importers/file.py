"""The importer ``file``: a file or folder of this machine is copied into the library."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from jan_host.contract.errors import ForbiddenError, ImportFailedError, OriginNotFoundError
from jan_host.contract.importer import Asset, Importer, ImportOptions, ImportPlan
from jan_host.importers.naming import describe, parts_of

MOST_FILES = 1000
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class FileImporter(Importer):
    """``file:PATH``, ``file:///PATH``, or a path that begins like one: ``/``, ``./``, ``~/``, ``C:\\``."""

    name: ClassVar[str] = "file"

    def accepts(self, origin: str) -> bool:
        """Whether it is written as a path of this machine is."""
        return origin.startswith(("/", "./", "../", "~/", ".\\", "..\\", "file:")) or bool(
            _DRIVE.match(origin)
        )

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Plan to copy one file with its other parts, or a folder as it stands.

        Raises:
            ForbiddenError: The one who asks may not name files of this machine.
            OriginNotFoundError: There is no such file or folder.
            ImportFailedError: It is not one that can be copied.
        """
        if not options.local_paths:
            raise ForbiddenError(
                "Files of this machine are imported only for its own users. Run `jan-host pull` there, or let"
                " the operator set [downloads] local_paths = true."
            )
        path = _path_of(origin)
        if options.variant is not None and options.variant != path.name:
            raise OriginNotFoundError(f"{path} has no variant {options.variant[:200]!r}.", param="variant")
        try:
            return self._plan(path, options)
        except OSError as error:
            raise ImportFailedError(
                f"{path} can't be read: {error.strerror or error}. Check the path and its permissions."
            ) from None

    def _plan(self, path: Path, options: ImportOptions) -> ImportPlan:
        path = path.resolve(strict=True)
        if path.is_dir():
            assets = _folder(path)
            main, home = _largest(assets), path.name
        elif path.is_file():
            assets = list(_file(path))
            main, home = assets[0].filename, path.parent.name
        else:
            raise ImportFailedError(f"{path} is neither a file nor a folder.")
        assets.sort(key=lambda asset: asset.filename != main)
        model = describe(
            assets, main=main, home=home, importer=self.name, origin=path.as_uri(), asked_id=options.id
        )
        return ImportPlan(origin=path.as_uri(), importer=self.name, model=model, assets=assets)


def _path_of(origin: str) -> Path:
    """The path that an origin names.

    Raises:
        OriginNotFoundError: It names another machine's, or can't be a path.
    """
    text = origin
    if origin.lower().startswith("file://"):
        try:
            url = urlsplit(origin)
        except ValueError:
            raise _not_there(origin) from None
        if url.netloc not in ("", "localhost"):
            raise _not_there(origin)
        text = url2pathname(url.path)
    text = text.removeprefix("file:")
    if not text.strip() or not text.isprintable():
        raise _not_there(origin)
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # no such user, no home
        raise _not_there(origin) from None


def _not_there(origin: str) -> OriginNotFoundError:
    return OriginNotFoundError(f"{origin[:200]!r} names no file or folder of this machine.", param="origin")


def _file(path: Path) -> Iterator[Asset]:
    """The file, and its other parts where it is one of several."""
    for name in parts_of(path.name):
        part = path.with_name(name)
        if not part.is_file():
            raise OriginNotFoundError(
                f"{path.name} is one part of a model, and its part {name} is not beside it.", param="origin"
            )
        size = part.stat().st_size
        if not size:
            raise OriginNotFoundError(f"{part} is empty: there is no model in it.", param="origin")
        yield Asset(filename=name, path=part.resolve(), size=size)


def _folder(root: Path) -> list[Asset]:
    """All files below a folder, under their paths from there; hidden ones are left out."""
    found: list[Asset] = []
    for place, folders, names in os.walk(root, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            if len(found) == MOST_FILES:
                raise ImportFailedError(
                    f"{root} has more than {MOST_FILES} files: no model has. Name its own."
                )
            found.append(_member(Path(place, name), root))
    if not found:
        raise OriginNotFoundError(f"The folder {root} is empty.", param="origin")
    return found


def _member(path: Path, root: Path) -> Asset:
    """A file of a folder.

    Raises:
        ImportFailedError: It leads out of the folder, or is no file: a link that came with a
            folder from elsewhere must not bring in what the user never meant.
    """
    real = path.resolve(strict=True)
    # A cache of the Hugging Face hub: snapshots/REVISION/FILE links to blobs/HASH of the same repository.
    blobs = root.parent.parent / "blobs" if root.parent.name == "snapshots" else root
    if not real.is_file() or not (real.is_relative_to(root) or real.is_relative_to(blobs)):
        raise ImportFailedError(
            f"{path} is no file, or a link that leads out of {root}. Take it away, or name the file itself."
        )
    return Asset(filename=path.relative_to(root).as_posix(), path=real, size=real.stat().st_size)


def _raise(error: OSError) -> None:
    raise error


def _largest(assets: Sequence[Asset]) -> str:
    """The file that is the model, as far as sizes tell; of its parts, the first."""
    largest = max(assets, key=lambda asset: asset.size or 0).filename
    folder, slash, name = largest.rpartition("/")
    return folder + slash + parts_of(name)[0]

"""Files and folders of this machine become models: linked, copied or moved."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from jan_host.contract.errors import (
    ConflictError,
    ImportFailedError,
    InvalidRequestError,
    ModelBrokenError,
)
from jan_host.contract.model import Model
from jan_host.downloads.disk import ensure_space
from jan_host.downloads.saving import sync_folder
from jan_host.intake.copying import Report, copy_file
from jan_host.intake.examine import examine
from jan_host.intake.parcel import Parcel, parcels, shared_files
from jan_host.intake.staging import Staging, link_together, numbered
from jan_host.library import Library
from jan_host.library.delete import files_of
from jan_host.library.engines import Engines
from jan_host.library.ids import check_id, path_for

Mode = Literal["link", "copy", "move"]

Progress = Callable[[int, int], None]
"""Told the bytes that are done and those of all; what it raises ends the import."""


class LocalImport(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to import: the body of ``POST /v1/models/import``."""

    path: str
    """An absolute path of the host's machine: a file, or a folder with one or several models."""
    mode: Mode = "link"
    """``link`` uses the files where they are; ``copy`` and ``move`` bring them into the models folder."""
    id: str | None = None
    """The id that the model shall have here; where there is one model alone."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


class LocalImports:
    """Imports what lies on this machine's disks. Each model is there whole, or not at all.

    Args:
        library: Where the models go.
        models_folder: The host's own.
        folders: Those that are used in place.
        engines: Who can read files.
    """

    def __init__(
        self, library: Library, models_folder: Path, folders: Sequence[Path], engines: Engines
    ) -> None:
        self._library = library
        self._models_folder = models_folder.absolute()
        self._folders = [folder.absolute() for folder in folders]
        self._engines = engines

    def run(self, request: LocalImport, progress: Progress = no_progress) -> list[str]:
        """Import; what of a folder can't be used is left out, if anything can.

        Returns:
            The ids of the models.

        Raises:
            OriginNotFoundError: There is nothing at the path.
            ModelBrokenError: What is there can't be used.
            InvalidRequestError: The path is none, or there are several models and one id.
            ConflictError: The id is taken, or the path lies where models are already.
            ImportFailedError: A file can't be read or written; nothing is left of its model.
        """
        path = self._checked(request)
        try:
            found = self._found(path, request.id)
            if request.mode == "link":
                return [self._link(parcel, request.id) for parcel in found]
            count = _Count(sum(parcel.size for parcel in found), progress)
            shared = shared_files(found)
            return [
                self._take(parcel, request.id, count.add, shared if request.mode == "move" else None)
                for parcel in found
            ]
        except OSError as error:
            raise ImportFailedError(
                f"{error.filename or path} can't be imported: {error.strerror or error}."
            ) from None

    def link(self, model: Model) -> str:
        """Write the model.json of a model whose files stay where they are.

        Returns:
            Its id, with a number behind it where that is taken; of a model that has these very files
            already, that one's.
        """
        known = self.known_as(model.files(self._models_folder))
        if known is not None:
            return known
        model = msgspec.structs.replace(model, id=self._free_id(model.id))
        return self._library.write(model, path_for(self._models_folder, model.id)).model.id

    def known_as(self, files: Iterable[Path]) -> str | None:
        """The id of the model that has just these files, if there is one."""
        wanted = set(files)
        here = self._library.entries()
        return next((entry.model.id for entry in here if set(files_of(entry)) == wanted), None)

    def _checked(self, request: LocalImport) -> Path:
        """The path, absolute and outside of the folders of models.

        Raises:
            InvalidRequestError: It is none.
            ConflictError: What lies there is in the library.
        """
        if not request.path or not request.path.isprintable():
            raise InvalidRequestError("The path is empty or has control characters.", param="path")
        path = Path(os.path.normpath(Path(request.path)))  # links stay: what they lead to may have no suffix
        if not path.is_absolute():
            raise InvalidRequestError(f"{path} is no absolute path. Begin it at the root.", param="path")
        folders = [self._models_folder, *(self._folders if request.mode != "copy" else ())]
        for folder in folders:
            if path.is_relative_to(folder):
                raise ConflictError(
                    f"{path} lies in {folder}, whose models are here already. See: jan-host models",
                    param="path",
                )
        return path

    def _found(self, path: Path, asked_id: str | None) -> list[Parcel]:
        entries = examine(path, self._engines)
        found = parcels(entries, path)
        if not found:
            reason = entries[0].problem or "Its files are not there."
            raise ModelBrokenError(f"{path} can't be imported: {reason}", param="path")
        if asked_id is not None and len(found) > 1:
            names = ", ".join(parcel.entry.model.id for parcel in found[:5])
            raise InvalidRequestError(
                f"There are {len(found)} models in {path} ({names}), and one id. Name the file of one.",
                param="id",
            )
        return found

    def _link(self, parcel: Parcel, asked_id: str | None) -> str:
        if not parcel.files:  # a model that is somewhere else: its JSON file is all there is
            return self._take(parcel, asked_id, lambda count: None, None)
        model = parcel.linked()
        if asked_id is not None:
            model.id = self._free_id(asked_id, is_asked=True)
        return self.link(model)

    def _take(self, parcel: Parcel, asked_id: str | None, report: Report, kept: set[Path] | None) -> str:
        """Bring a model into a folder of its own.

        Args:
            parcel: The model.
            asked_id: The id that was asked for.
            report: Told the bytes of each step.
            kept: The files that a move leaves where they are; ``None`` for a copy.
        """
        model_id = self._free_id(asked_id or parcel.entry.model.id, is_asked=asked_id is not None)
        going = [file for file in parcel.own_files() if kept is not None and file not in kept]
        with Staging(self._models_folder) as staging:
            self._fill(parcel, set(going), staging, report)
            parcel.describe(model_id, staging.folder)
            target = staging.arrive(numbered(path_for(self._models_folder, model_id).name))
            sync_folder(self._models_folder)
        _remove(going)
        self._library.look([target])
        return self._library.inside(target)[0].model.id

    def _fill(self, parcel: Parcel, going: set[Path], staging: Staging, report: Report) -> None:
        """Bring the files; what leaves its old place gets another name, where one disk has both."""
        renamed = {file: staging.place(name) for name, file in parcel.files.items() if file in going}
        is_linked = bool(renamed) and link_together(renamed)
        copied = {name: file for name, file in parcel.files.items() if not (is_linked and file in renamed)}
        ensure_space(self._models_folder, sum(file.stat().st_size for file in copied.values()))
        for name, file in parcel.files.items():
            if name in copied:
                copy_file(file, staging.place(name), report)
            else:
                report(file.stat().st_size)

    def _free_id(self, model_id: str, *, is_asked: bool = False) -> str:
        """The id, or with a number behind it where that is taken.

        Raises:
            ConflictError: It is taken, and just this one was asked for.
            InvalidRequestError: It can't be one.
        """
        taken = {entry.model.id for entry in self._library.entries()}
        model_id = check_id(model_id)
        if is_asked and model_id in taken:
            raise ConflictError(f"There is a model {model_id!r} already. Choose another id.", param="id")
        return next(name for name in numbered(model_id) if name not in taken)


class _Count:
    """Adds up what was done."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def add(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


def _remove(files: Sequence[Path]) -> None:
    """Remove the files, and the folders that are empty then."""
    for file in files:
        file.unlink()
    for folder in sorted({file.parent for file in files}, key=lambda folder: -len(folder.parts)):
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()

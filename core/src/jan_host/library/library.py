"""The models on disk. Truth is the files; there is no database."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jan_host.contract.engine import Engine
from jan_host.contract.errors import ConflictError, ModelNotFoundError
from jan_host.contract.model import Model
from jan_host.library.delete import delete_entry
from jan_host.library.documents import MODEL_FILE, Documents
from jan_host.library.engines import Engines
from jan_host.library.entries import Entry, build, linked_files
from jan_host.library.groups import Group, split
from jan_host.library.ids import check_id, path_for
from jan_host.library.layers import read_defaults
from jan_host.library.scan import Scan, Stamp
from jan_host.library.unique import by_id
from jan_host.library.write import write_model


@dataclass(slots=True)
class _Known:
    """A group, the entries made of it, and the state of the files outside that they link to."""

    group: Group
    entries: list[Entry]
    linked: dict[Path, Stamp | None]


class Library:
    """All models of some folders. Safe to use from several threads.

    Args:
        models_folder: The host's own; the only one that is written to.
        folders: Others, used in place.
        engines_folder: ``<engine>/engine.json`` has base settings of that engine.
        engines: One instance of each, in the order of preference.
    """

    def __init__(
        self,
        *,
        models_folder: Path,
        folders: Sequence[Path] = (),
        engines_folder: Path,
        engines: Sequence[Engine] = (),
    ) -> None:
        self._models_folder = models_folder.absolute()
        self._folders = [folder.absolute() for folder in folders]
        self._engines_folder = engines_folder.absolute()
        self._engines = Engines(engines)
        self._documents = Documents()
        self._known: dict[Path, _Known] = {}
        self._entries: dict[str, Entry] = {}
        self._changed: set[str] = set()
        self._lock = threading.RLock()

    def refresh(self) -> set[str]:
        """Look at the folders again; cheap when nothing changed.

        Returns:
            The ids of models that came, went or changed since the last call, those that `write`
            and `delete` changed included.
        """
        with self._lock:
            self._scan()
            changed, self._changed = self._changed, set()
            return changed

    def entries(self) -> list[Entry]:
        """All models that the last look found, sorted by id."""
        return [entry for _, entry in sorted(self._entries.items())]

    def get(self, model_id: str) -> Entry:
        """One model.

        Raises:
            ModelNotFoundError: None has this id.
        """
        entry = self._entries.get(model_id) or self._entries.get(model_id.lstrip("/"))
        if entry is None:
            raise ModelNotFoundError(
                f"There is no model {model_id!r}. See what there is: jan-host models", param="model"
            )
        return entry

    def folder_for(self, model_id: str) -> Path:
        """Where the files of a model of this id belong.

        That is the folder of its model.json, where jan-host has one of its own; else a folder
        directly in the models folder, which need not exist.

        Raises:
            InvalidRequestError: It can't be an id, or a link leads elsewhere.
        """
        model_id = check_id(model_id)
        entry = self._entries.get(model_id)
        if entry and entry.owned and entry.file:
            return entry.folder
        return path_for(self._models_folder, model_id)

    def write(self, model: Model, folder: Path | None = None) -> Entry:
        """Write a model's model.json, whole or not at all.

        Args:
            model: What to write.
            folder: Where its files are, inside the models folder; ``None``: where the model is
                already, else `folder_for` its id.

        Raises:
            ConflictError: The folder is not jan-host's own, or another model's.
            InvalidRequestError: Its id can't be one.
            ModelError: The file can't be written.
        """
        with self._lock:
            file = self._file_for(check_id(model.id), folder)
            write_model(file, model)
            self._scan()
            return next(entry for entry in self._entries.values() if entry.file == file)

    def delete(self, model_id: str) -> None:
        """Remove a model and those of its files that are no other model's.

        Raises:
            ModelNotFoundError: None has this id.
            ConflictError: It lies where jan-host deletes nothing.
            ModelError: A file can't be removed.
        """
        with self._lock:
            entry = self.get(model_id)
            others = [other for other in self._entries.values() if other is not entry]
            delete_entry(entry, others, self._models_folder)
            self._scan()

    def engine_defaults(self, engine_name: str) -> dict[str, Any]:
        """The base settings of an engine: ``engines/<engine>/engine.json``, empty without one.

        Raises:
            ConfigError: The file can't be read; says why.
        """
        return read_defaults(self._engines_folder, engine_name, self._engines.get(engine_name))

    def _file_for(self, model_id: str, folder: Path | None) -> Path:
        entry = self._entries.get(model_id)
        if entry and (folder is None or folder == entry.folder):
            if not entry.owned:
                raise ConflictError(
                    f"The model {model_id} lies in {entry.folder}, which is used in place and never"
                    " written to. Import it to change it."
                )
            if entry.file:
                return entry.file
        folder = folder or (entry.folder if entry else self.folder_for(model_id))
        if not folder.resolve().is_relative_to(self._models_folder.resolve()):
            raise ConflictError(f"{folder} is not inside {self._models_folder}; jan-host writes only there.")
        name = f"{path_for(folder, model_id).name}.json" if folder == self._models_folder else MODEL_FILE
        self._check_free(folder / name, model_id)
        return folder / name

    def _check_free(self, file: Path, model_id: str) -> None:
        """Refuse to overwrite another model's file; some file systems take A and a for the same."""
        if not file.exists():
            return
        for entry in self._entries.values():
            if entry.file and entry.model.id != model_id and file.samefile(entry.file):
                raise ConflictError(f"{file} is of the model {entry.model.id}. Choose another id.")

    def _scan(self) -> None:
        known: dict[Path, _Known] = {}
        for group, owned in self._groups():
            found = self._known.get(group.path)
            if found is None or found.group != group or found.linked != _stamps(found.linked):
                found = self._build(group, owned=owned)
            known[group.path] = found
        entries = by_id([entry for found in known.values() for entry in found.entries])
        self._documents.forget_unused()
        self._changed |= {
            model_id
            for model_id in self._entries.keys() | entries.keys()
            if self._entries.get(model_id) != entries.get(model_id)
        }
        self._known, self._entries = known, entries

    def _groups(self) -> Iterator[tuple[Group, bool]]:
        """All groups, and whether each lies in the host's own folder."""
        scan = Scan()
        for root in [self._models_folder, *self._folders]:
            found = scan.look(root)
            if found is not None:
                owned = root == self._models_folder
                for group in split(found, self._documents, may_be_model=not owned):
                    yield group, owned

    def _build(self, group: Group, *, owned: bool) -> _Known:
        entries = build(group, self._engines, owned=owned)
        linked = [file for entry in entries for file in linked_files(entry)]
        return _Known(group, entries, _stamps(linked))


def _stamps(files: Iterable[Path]) -> dict[Path, Stamp | None]:
    """When each file was written and how long it is; ``None`` for one that is not there."""
    stamps: dict[Path, Stamp | None] = {}
    for file in files:
        try:
            found = os.stat(file)
            stamps[file] = (found.st_mtime_ns, found.st_size)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            stamps[file] = None
    return stamps

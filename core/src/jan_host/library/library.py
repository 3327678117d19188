"""The models on disk. Truth is the files; there is no database."""

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from jan_host.contract.engine import Engine
from jan_host.contract.errors import ConflictError, ModelNotFoundError
from jan_host.contract.model import Model
from jan_host.library.branches import Branches
from jan_host.library.delete import delete_entry, files_of
from jan_host.library.documents import MODEL_FILE
from jan_host.library.engines import Engines
from jan_host.library.entries import Entry
from jan_host.library.fields import Notice
from jan_host.library.generations import find_notices
from jan_host.library.ids import check_id, path_for
from jan_host.library.layers import EngineDefaults
from jan_host.library.migration import Migration, plan
from jan_host.library.scan import Scan, Stamp
from jan_host.library.unique import by_id
from jan_host.library.validation import Problem, find_problems
from jan_host.library.write import write_model


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
        self._engines = Engines(engines)
        self._defaults = EngineDefaults(engines_folder.absolute(), self._engines)
        self._branches = Branches(self._models_folder, self._folders, self._engines)
        self._by_id: dict[str, Entry] = {}
        self._entries: Sequence[Entry] = []
        self._changed: set[str] = set()
        self._lock = threading.RLock()

    def refresh(self, paths: Collection[Path] | None = None) -> set[str]:
        """Look at the folders again; cheap when nothing changed.

        Args:
            paths: The files and folders that changed, came or went, where that is known: then only what
                they belong to is looked at, as far as that can be told. ``None``: anything may have changed.

        Returns:
            The ids of models that came, went or changed since the last call, those that `write`
            and `delete` changed included.
        """
        with self._lock:
            self._look(paths)
            changed, self._changed = self._changed, set()
            return changed

    def look(self, paths: Collection[Path]) -> None:
        """As `refresh`, for one who changed something himself; the next `refresh` tells of it."""
        with self._lock:
            self._look(paths)

    def entries(self) -> Sequence[Entry]:
        """All models that the last look found, sorted by id; the same object until one changes."""
        return self._entries

    def get(self, model_id: str) -> Entry:
        """One model.

        Raises:
            ModelNotFoundError: None has this id.
        """
        entry = self._by_id.get(model_id) or self._by_id.get(model_id.lstrip("/"))
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
        entry = self._by_id.get(model_id)
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
            self._look([file])
            return next(entry for entry in self._by_id.values() if entry.file == file)

    def delete(self, model_id: str) -> None:
        """Remove a model and those of its files that are no other model's.

        Raises:
            ModelNotFoundError: None has this id.
            ConflictError: It lies where jan-host deletes nothing.
            ModelError: A file can't be removed.
        """
        with self._lock:
            entry = self.get(model_id)
            others = [other for other in self._by_id.values() if other is not entry]
            paths = [entry.folder, *([entry.file] if entry.file else ()), *files_of(entry)]
            delete_entry(entry, others, self._models_folder)
            self._look([path for path in paths if self.place_of(path)])

    def hold(self, places: Collection[Path]) -> None:
        """Leave as it was known what lies at these places, directly in a root, since it is changing now.

        Only looks at everything are meant: what `refresh` is told to look at, is looked at.
        """
        self._branches.held = frozenset(map(str, places))

    def follow(self, settle_seconds: float) -> None:
        """From now on somebody follows what changes: what changed so little before a look may still grow."""
        self._branches.settle_seconds = settle_seconds

    def young(self) -> set[Path]:
        """What the last look at everything left as it was known, since it may still grow."""
        return self._branches.young

    def place_of(self, path: Path) -> Path | None:
        """What lies directly in one of the folders, and is the path or leads to it."""
        return self._branches.place_of(path)

    def known_at(self, place: Path) -> dict[str, Stamp]:
        """The files of such a place as they were seen last, by their paths from the folder it lies in."""
        with self._lock:
            return self._branches.known_at(place)

    def is_whole(self, place: Path, names: Collection[str]) -> bool:
        """Whether no engine takes one of these files, at a place, for a model's that can't be read."""
        new = {place.parent / name for name in names if not name.endswith(".json")}
        if not new:
            return True
        if place.is_file():
            files, folder = [place], place.parent
        else:
            found = Scan().look(place, depth=1)
            files, folder = [place / name for name, _ in found.all_files()] if found else [], place
        return new.isdisjoint(file for file, _ in self._engines.inspect(files, folder).problems)

    def inside(self, path: Path) -> list[Entry]:
        """The models of the last look whose files lie at or below a path."""
        path = path.absolute()
        return [entry for entry in self._entries if (entry.file or entry.folder).is_relative_to(path)]

    def problems(self, entries: Sequence[Entry]) -> list[Problem]:
        """What is wrong with some models, and where in their files."""
        return list(find_problems(entries, self._engines))

    def migration(self, entry: Entry) -> Migration | None:
        """How an entry's model.json would be rewritten in canonical form; ``None`` where it has none.

        Raises:
            ModelBrokenError: It can't be read.
        """
        return plan(entry, self._engines)

    def notices(self, model: Model) -> list[Notice]:
        """What could not be used, or may have no effect, if this were a model's model.json."""
        return find_notices(model, self._engines)

    def check_owned(self, entry: Entry) -> None:
        """Whether a model may be written to.

        Raises:
            ConflictError: It lies in a folder that is used in place.
        """
        if not entry.owned:
            raise ConflictError(
                f"The model {entry.model.id} lies in {entry.folder}, which is used in place and never"
                " written to. Import it to change it."
            )

    def engine_defaults(self, engine_name: str) -> dict[str, Any]:
        """The base settings of an engine: ``engines/<engine>/engine.json``, empty without one.

        Raises:
            ConfigError: The file can't be read; says why.
        """
        return self._defaults.get(engine_name)

    def _file_for(self, model_id: str, folder: Path | None) -> Path:
        entry = self._by_id.get(model_id)
        if entry and (folder is None or folder == entry.folder):
            self.check_owned(entry)
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
        for entry in self._by_id.values():
            if entry.file and entry.model.id != model_id and file.samefile(entry.file):
                raise ConflictError(f"{file} is of the model {entry.model.id}. Choose another id.")

    def _look(self, paths: Collection[Path] | None = None) -> None:
        if paths is None or not self._branches.look_at(paths):
            self._branches.look(paths or ())
        before, entries = self._by_id, by_id(list(self._branches.entries()))
        changed = {
            model_id
            for model_id in before.keys() | entries.keys()
            if before.get(model_id) is not entries.get(model_id)
            and before.get(model_id) != entries.get(model_id)
        }
        self._changed |= changed
        if changed:
            # What was read again and is as it was stays the same object.
            self._by_id = {
                model_id: entry if model_id in changed else before[model_id]
                for model_id, entry in sorted(entries.items())
            }
            self._entries = list(self._by_id.values())

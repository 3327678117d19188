"""One model on its way into the library: which files it has, and what is written of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jan_host.contract.model import Model, Source
from jan_host.intake.copying import copy_file
from jan_host.intake.examine import belongings
from jan_host.library import Entry
from jan_host.library.delete import files_of
from jan_host.library.documents import MODEL_FILE
from jan_host.library.entries import linked_files
from jan_host.library.ids import path_for
from jan_host.library.read import read_object
from jan_host.library.write import write_model


@dataclass(frozen=True, slots=True)
class Parcel:
    """A model that was found outside, with its files."""

    entry: Entry
    files: dict[str, Path]
    """By their paths in the model's own folder; without the model.json."""

    @classmethod
    def of(cls, entry: Entry, others: Sequence[Entry]) -> "Parcel":
        """A model of a folder; where no other lies in it, above or below, all that is in it is its."""
        return cls(entry, belongings(entry, is_alone=not _has_company(entry, others)))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files.values())

    def sources(self) -> dict[str, Path]:
        """The files that the model names, in its order."""
        names = [source.filename.replace("\\", "/") for source in self.entry.model.sources]
        return dict(zip(names, files_of(self.entry), strict=True))

    def own_files(self) -> list[Path]:
        """What a move takes away: the files, and the user's JSON file."""
        return [*self.files.values(), *([self.entry.file] if self.entry.file else ())]

    def describe(self, model_id: str, folder: Path) -> None:
        """Write into the model's new folder the user's own JSON file as it stands, or one for what was read.

        Args:
            model_id: The id that the model shall have.
            folder: Where its files are.
        """
        file = self.entry.file
        if file is not None and self._fits(file, model_id):
            copy_file(file, folder / file.name, lambda count: None)
            return
        if file is not None:
            copy_file(file, folder / f"{file.name}.bak", lambda count: None)
        sources = [Source(filename=name) for name in self.sources()]
        write_model(
            folder / MODEL_FILE, msgspec.structs.replace(self.entry.model, id=model_id, sources=sources)
        )

    def linked(self) -> Model:
        """The model with its files where they are."""
        sources = [Source(filename=name, url=file.as_uri()) for name, file in self.sources().items()]
        return msgspec.structs.replace(self.entry.model, sources=sources)

    def _fits(self, file: Path, model_id: str) -> bool:
        """Whether the user's JSON file says the same in a folder of the id's name."""
        if model_id != self.entry.model.id or linked_files(self.entry):
            return False
        if file.name != MODEL_FILE or path_for(file.parent, model_id).name == model_id:
            return True
        return "id" in read_object(file)


def parcels(entries: Sequence[Entry], path: Path) -> list[Parcel]:
    """The models among `entries` that can be used.

    Args:
        entries: All that lies at the path.
        path: A folder, whose models may have more files than they name; or a file.
    """
    usable = [entry for entry in entries if entry.usable]
    if path.is_dir():
        return [Parcel.of(entry, entries) for entry in usable]
    return [Parcel(entry, belongings(entry, is_alone=False)) for entry in usable]


def shared_files(found: Sequence[Parcel]) -> set[Path]:
    """The files that several models have."""
    owners = Counter(file for parcel in found for file in set(parcel.own_files()))
    return {file for file, count in owners.items() if count > 1}


def _has_company(entry: Entry, others: Sequence[Entry]) -> bool:
    return any(
        other.folder.is_relative_to(entry.folder) or entry.folder.is_relative_to(other.folder)
        for other in others
        if other is not entry
    )

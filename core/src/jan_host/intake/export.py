"""A model leaves the library as a folder that any jan-host takes: its files and a model.json."""

from pathlib import Path

import msgspec

from jan_host.contract.errors import ConflictError, ModelError
from jan_host.contract.model import Model, Source
from jan_host.downloads.disk import ensure_space
from jan_host.intake.copying import copy_file
from jan_host.intake.local import Progress
from jan_host.intake.parcel import Parcel
from jan_host.intake.staging import Staging
from jan_host.library import Entry, Library
from jan_host.library.documents import MODEL_FILE
from jan_host.library.write import write_model


def export(library: Library, entry: Entry, target: Path, progress: Progress) -> None:
    """Copy a model into a new folder, linked files included, with a model.json in canonical form.

    Args:
        library: Which has the model.
        entry: The model.
        target: The folder; there must be none yet.
        progress: Told the bytes that are done and those of all.

    Raises:
        ConflictError: There is one.
        ModelError: The model is broken, its files are not here, or one can't be copied.
    """
    if not entry.usable:
        reason = entry.problem or "its files are not here."
        raise ModelError(f"The model {entry.model.id} can't be exported: {reason}")
    parcel = Parcel.of(entry, library.entries())
    done, total = 0, parcel.size

    def report(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        ensure_space(target.parent, total)
        with Staging(target.parent) as staging:
            for name, file in parcel.files.items():
                copy_file(file, staging.place(name), report)
            write_model(staging.place(MODEL_FILE), _described(library, entry, parcel))
            staging.arrive([target.name])
    except FileExistsError:
        raise ConflictError(f"{target} exists already. Name a folder that does not.") from None
    except OSError as error:
        raise ModelError(f"{error.filename or target} can't be written: {error.strerror or error}.") from None


def _described(library: Library, entry: Entry, parcel: Parcel) -> Model:
    """What the model.json says, in canonical form, with files that lie beside it."""
    migration = library.migration(entry)
    model = entry.model if migration is None else msgspec.json.decode(migration.after, type=Model)
    addresses = {
        source.filename: source.url
        for source in entry.model.sources
        if source.url.startswith(("https:", "http:"))
    }
    sources = [Source(filename=name, url=addresses.get(name, "")) for name in parcel.sources()]
    return msgspec.structs.replace(
        model, format=entry.model.format, engine=entry.model.engine, sources=sources
    )

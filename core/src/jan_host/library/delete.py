"""Delete a model: what jan-host owns goes, what it only links to stays."""

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from jan_host.contract.errors import ConflictError, ModelBrokenError, ModelError
from jan_host.library.entries import Entry

DOOMED_SUFFIX = ".deleted"
"""Behind the hidden name of a folder that is being removed."""


def delete_entry(entry: Entry, others: Sequence[Entry], models_folder: Path) -> None:
    """Remove the model's own files.

    Args:
        entry: The model.
        others: All other models.
        models_folder: Nothing outside of it is touched.

    Raises:
        ConflictError: The model does not lie in `models_folder`, or can't go alone.
        ModelError: A file can't be removed.
    """
    try:
        if not entry.owned:
            _unlink_folder(entry, others, models_folder)
        elif entry.folder != models_folder and not _sharing(entry.folder, others):
            _remove_folder(entry.folder, models_folder)
        else:
            _remove_files(entry, others, models_folder)
    except OSError as error:
        raise ModelError(f"{error.filename or entry.folder} can't be removed: {error.strerror}.") from None


def _sharing(folder: Path, others: Sequence[Entry]) -> list[Entry]:
    """The models that lie in the folder, above or below it, so that it can't simply go."""
    return [
        other
        for other in others
        if other.folder.is_relative_to(folder) or any(file.is_relative_to(folder) for file in files_of(other))
    ]


def files_of(entry: Entry) -> list[Path]:
    """The files that a model names, as far as their names can be used."""
    try:
        return entry.model.files(entry.folder)
    except ModelBrokenError:
        return []


def _unlink_folder(entry: Entry, others: Sequence[Entry], models_folder: Path) -> None:
    """Take away the symbolic link that leads to a model outside; what it leads to stays."""
    if not entry.folder.is_relative_to(models_folder):
        raise ConflictError(
            f"The model {entry.model.id} lies in {entry.folder}, which is used in place and not"
            " jan-host's to delete from. Remove it there, or take its folder out of [library] folders."
        )
    parts = entry.folder.relative_to(models_folder).parts
    steps = (models_folder.joinpath(*parts[: count + 1]) for count in range(len(parts)))
    link = next(step for step in steps if step.is_symlink())
    sharing = [other.model.id for other in others if other.folder.is_relative_to(link)]
    if sharing:
        raise ConflictError(f"{link} is a link to a folder with more models: {', '.join(sharing[:3])}.")
    link.unlink()


def _remove_folder(folder: Path, models_folder: Path) -> None:
    _check_inside(folder, models_folder)
    if not folder.is_dir():  # a file that is listed for its impossible name
        folder.unlink()
        return
    # Renamed first: a scan in the meantime sees the whole model or none of it.
    doomed = folder.with_name(f".{secrets.token_hex(8)}{DOOMED_SUFFIX}")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    for parent in folder.parents:
        if parent == models_folder or any(parent.iterdir()):
            break
        parent.rmdir()


def _remove_files(entry: Entry, others: Sequence[Entry], models_folder: Path) -> None:
    kept = {file for other in others for file in files_of(other)}
    # model.json goes first: without it, what is left is files, and no model with files missing.
    for file in ([entry.file] if entry.file else []) + files_of(entry):
        if file in kept or not file.is_relative_to(entry.folder):
            continue
        _check_inside(file, models_folder)
        file.unlink(missing_ok=True)


def _check_inside(path: Path, models_folder: Path) -> None:
    """A link in the way must not lead the deletion out of the folder."""
    if not path.parent.resolve().is_relative_to(models_folder.resolve()):
        raise ConflictError(f"{path} lies outside of {models_folder}; jan-host does not delete there.")

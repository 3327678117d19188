"""Which projector belongs to a model: the one its settings name, one of its files, or one beside them."""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jan_host import Model, ModelBrokenError, ModelLoadError

from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.magic import is_gguf
from jan_host_llamacpp.settings import Settings

_LOG = logging.getLogger(__name__)
_CALLED_SO: Final = re.compile(r"mmproj|mmprj|\.proj$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ProjectorFile:
    """A projector that can be loaded."""

    path: Path
    named: bool
    """Whether the model says that it is its own; one that merely lies beside it may be another's."""


def projector_file(settings: Settings, model: Model, folder: Path, weights: Path) -> ProjectorFile | None:
    """The projector to load with a model, ``None`` when it is to read text alone.

    Args:
        settings: The model's.
        model: The model.
        folder: The folder of its model.json.
        weights: Its first file.

    Raises:
        ModelLoadError: The one that the settings name is not there, or is none.
    """
    if settings.vision_model is False:
        return None
    if settings.mmproj:
        return ProjectorFile(_named(settings.mmproj, model, folder), named=True)
    own = [path for path in model.files(folder) if path != weights and _is_projector(path)]
    if own:
        return ProjectorFile(own[0], named=True)
    beside = list(_beside(weights))
    if not beside and settings.vision_model:
        _LOG.warning("vision_model is set, and there is no projector beside %s", weights.name)
    return ProjectorFile(beside[0], named=False) if beside else None


def _named(given: str, model: Model, folder: Path) -> Path:
    path = _place(given, model, folder)
    if not path.is_file():
        raise _refused(f"there is no file {path.name!r} in the model's folder")
    try:
        header = read_header(path)
    except ModelBrokenError as error:
        raise _refused(error.message.removesuffix(".")) from None
    if not header.is_projector:
        raise _refused(f"{path.name} is no projector")
    return path


def _place(given: str, model: Model, folder: Path) -> Path:
    """Where a name leads: to one of the model's files, or into the folders where these are."""
    files = model.files(folder)
    for source, path in zip(model.sources, files, strict=True):
        if given in (source.filename, path.name):
            return path
    path = Path(os.path.abspath(folder / given))
    roots = [folder, *(file.parent for file in files)]
    if not given.isprintable() or not any(path.is_relative_to(os.path.abspath(root)) for root in roots):
        raise _refused(f"the path {given[:200]!r} leads out of the model's folder")
    return path


def _beside(weights: Path) -> Iterator[Path]:
    """Projectors in the folder of the weights: first those of sixteen bits, which are published for all."""
    paths = (path for path in weights.parent.iterdir() if _CALLED_SO.search(path.name))
    yield from sorted(filter(_is_projector, paths), key=lambda path: ("f16" not in path.name.lower(), path))


def _is_projector(path: Path) -> bool:
    try:
        return is_gguf(path) and read_header(path).is_projector
    except (ModelBrokenError, OSError):
        return False


def _refused(problem: str) -> ModelLoadError:
    return ModelLoadError(
        f"The setting mmproj can't be used: {problem}. Name the projector's file, or leave the setting out.",
        param="settings.mmproj",
    )

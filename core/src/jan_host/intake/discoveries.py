"""From what other programs have on this machine to models that can be linked."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from jan_host.contract.discovery import Discovery
from jan_host.contract.importer import Importer
from jan_host.contract.model import Model, Source
from jan_host.library.engines import Engines

logger = logging.getLogger("jan_host.intake")


class Found(msgspec.Struct, kw_only=True):
    """A model of another program, as it would be linked."""

    importer: str
    """Who found it."""
    name: str
    """What that program calls it."""
    place: Path
    """The folder of its files."""
    size: int
    """Bytes."""
    model: Model
    """The model.json to write."""


def discover(importers: Iterable[Importer], engines: Engines) -> Iterator[Found]:
    """The models on this machine that an installed engine knows, each file once."""
    seen: set[Path] = set()
    for importer in importers:
        for discovery in _discoveries(importer):
            for found in _models(importer, discovery, engines):
                files = {file.resolve() for file in found.model.files(found.place)}
                if not files & seen:
                    yield found
                seen |= files


def _discoveries(importer: Importer) -> Iterator[Discovery]:
    try:
        yield from importer.discover()
    except Exception as error:  # a plugin may raise anything; it costs what it would have found
        logger.warning("The importer %s failed to look for models: %r", importer.name, error)


def _models(importer: Importer, discovery: Discovery, engines: Engines) -> Iterator[Found]:
    """The models that the engines see in the files of a discovery."""
    names = {path: name for name, path in discovery.files.items() if path.is_file()}
    if not names:
        return
    folder = Path(os.path.commonpath([path.parent for path in names]))
    found = engines.inspect(sorted(names), folder).models
    for model in found:
        files = model.files(folder)
        yield Found(
            importer=importer.name,
            name=discovery.name,
            place=files[0].parent,
            size=sum(file.stat().st_size for file in files),
            model=_adopted(model, files, discovery, names, is_alone=len(found) == 1),
        )


def _adopted(
    model: Model, files: list[Path], discovery: Discovery, names: Mapping[Path, str], *, is_alone: bool
) -> Model:
    """The engine's model under the names of the program that has it."""
    shown = PurePosixPath(names[files[0]])
    own_id = model.id if shown.name == files[0].name else shown.stem
    model_id = (discovery.id if is_alone else None) or own_id
    renamed = {file.name: PurePosixPath(names[file]).name for file in files}
    settings = {
        # A setting that names a file of the model names it as the model.json does.
        key: renamed.get(value, value) if isinstance(value, str) else value
        for key, value in model.settings.items()
    }
    return msgspec.structs.replace(
        model,
        id=model_id,
        name=model.name or model_id,
        sources=[Source(filename=names[file], url=file.as_uri()) for file in files],
        settings={**settings, **discovery.settings},
        parameters={**model.parameters, **discovery.parameters},
    )

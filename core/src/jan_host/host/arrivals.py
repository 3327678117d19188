"""What happens when a model's files have arrived: its model.json is completed and written, or kept."""

import os
from pathlib import Path

import msgspec

from jan_host.contract.errors import ModelNotFoundError
from jan_host.contract.model import Model
from jan_host.library import Entry, Library
from jan_host.library.engines import Engines
from jan_host.library.ids import path_for


class Arrivals:
    """Decides where a model's files go, and takes them into the library.

    Args:
        library: Where models are.
        models_folder: The host's own.
        engines: Who can read files.
    """

    def __init__(self, library: Library, models_folder: Path, engines: Engines) -> None:
        self._library = library
        self._models_folder = models_folder.absolute()
        self._engines = engines

    def find(self, model_id: str) -> Entry | None:
        """The library's entry of that id, if it has one."""
        try:
            return self._library.get(model_id)
        except ModelNotFoundError:
            return None

    def home_of(self, model_id: str) -> Path:
        """The folder that a model's files go to.

        Where its model.json lies already, unless that is a place for several models, in which the files
        of one would lie among those of others: then a folder of its own.

        Raises:
            InvalidRequestError: No folder can have that id.
        """
        folder = self._library.folder_for(model_id)
        entry = self.find(model_id)
        if entry is None or entry.file is None or not entry.owned:
            return folder
        shared = entry.folder == self._models_folder or (not entry.model.sources and self._has_company(entry))
        return path_for(self._models_folder, model_id) if shared else folder

    def _has_company(self, entry: Entry) -> bool:
        others = (each for each in self._library.entries() if each is not entry)
        return any(other.folder == entry.folder for other in others)

    def settle(self, model: Model) -> None:
        """Take a model whose files lie in its home into the library.

        A model.json that was there before the files stays as it is, byte for byte, if it is enough to
        use them; else what it says goes over what the importer found.

        Raises:
            ModelError: The model.json can't be written.
        """
        home = self.home_of(model.id)
        written = self.find(model.id)
        if written is not None and written.file is not None and written.owned and written.problem is None:
            if written.folder != home:
                os.replace(written.file, home / written.file.name)
            self._library.look([home, written.file])
            now = self.find(model.id)
            if now is not None and now.usable:
                return
        self._library.write(self._completed(_with_choices(model, written), home))

    def _completed(self, model: Model, folder: Path) -> Model:
        """The model with what its engine reads in the files; what is known already stays."""
        files = [path for path in model.files(folder) if path.is_file()]
        names = {source.filename for source in model.sources}
        found = next(
            (
                each
                for each in self._engines.inspect(files, folder).models
                if model.sources and each.sources[0].filename in names
            ),
            None,
        )
        if found is None:
            return model
        first = found.sources[0].filename
        return msgspec.structs.replace(
            model,
            format=found.format if not model.engine else model.format or found.format,
            engine=model.engine or found.engine,
            sources=sorted(model.sources, key=lambda source: source.filename != first),
            parameters={**found.parameters, **model.parameters},
            metadata={**found.metadata, **model.metadata},
        )


def _with_choices(model: Model, written: Entry | None) -> Model:
    """The settings and parameters that a user wrote for a model that was not here yet are kept."""
    if written is None:
        return model
    return msgspec.structs.replace(
        model,
        settings={**model.settings, **written.model.settings},
        parameters={**model.parameters, **written.model.parameters},
    )

"""Files that lie loose in the models folder get a folder of their own, with a model.json."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from jan_host.contract.errors import JanHostError, ModelBrokenError
from jan_host.contract.model import Model
from jan_host.intake.staging import Staging, link_together, numbered
from jan_host.library import Entry, Library
from jan_host.library.delete import files_of
from jan_host.library.documents import MODEL_FILE
from jan_host.library.engines import Engines
from jan_host.library.ids import path_for
from jan_host.library.write import encode_model, write_model

logger = logging.getLogger("jan_host.intake")


class Drops:
    """Tidies the models folder up. A model that is loose works as well; nothing is moved while it runs.

    Args:
        library: Where the models are.
        models_folder: The host's own.
        engines: Who can read files.
        is_busy: Whether a model of that id runs, or begins to.
    """

    def __init__(
        self, library: Library, models_folder: Path, engines: Engines, is_busy: Callable[[str], bool]
    ) -> None:
        self._library = library
        self._models_folder = models_folder.absolute()
        self._engines = engines
        self._is_busy = is_busy

    async def tidy(self) -> None:
        """Move what can be moved, and look at it again. What can't be moved stays as it is.

        What takes long, as the disk may be busy with what was copied, is done beside the event loop.
        The move itself is done on it: no request comes between that and the library's knowing of it.
        """
        for entry in self._loose():
            try:
                with Staging(self._models_folder) as staging:
                    files = self._files(entry) if entry.usable else []
                    is_linked = await asyncio.to_thread(self._prepare, entry, files, staging)
                    if entry not in self._loose() or self._is_busy(entry.model.id):
                        continue
                    moved = self._move(entry, files, staging, is_linked) if files else self._join(entry)
                    if moved:
                        self._library.look(moved)
            except (OSError, JanHostError) as error:
                logger.warning("%s stays where it is: %s", entry.model.id, error)

    def _loose(self) -> list[Entry]:
        """The models directly in the models folder whose files are no other model's."""
        here = [entry for entry in self._library.entries() if entry.folder == self._models_folder]
        owners = Counter(file for entry in here for file in set(files_of(entry)))
        return [entry for entry in here if all(owners[file] == 1 for file in files_of(entry))]

    def _files(self, entry: Entry) -> list[Path]:
        """What would be moved: the model's files, its JSON file first; nothing where one is elsewhere."""
        own = files_of(entry)
        if not own or any(file.parent != self._models_folder for file in own):
            return []
        return [*([entry.file] if entry.file else ()), *own]

    def _prepare(self, entry: Entry, files: list[Path], staging: Staging) -> bool:
        """Fill the model's folder to be; whether its files have another name there now."""
        if not files:
            return False
        if entry.file is None:
            write_model(staging.place(MODEL_FILE), entry.model)
        return link_together({file: staging.place(file.name) for file in files})

    def _move(self, entry: Entry, files: list[Path], staging: Staging, is_linked: bool) -> list[Path]:
        """Move a model's files into a folder of its own; its id stays.

        Returns:
            What changed.
        """
        name = path_for(self._models_folder, entry.model.id).name
        if self._finish(entry, files):
            return files
        if is_linked:
            target = staging.arrive(numbered(name))
            # Until here each file has two names, so that it is never without one.
            _unlink(files)
            return [target, *files]
        # Where a file can't have two names, the last step makes the folder a model again.
        target = self._models_folder / name
        target.mkdir()
        for file in files:
            file.rename(target / file.name)
        if entry.file is None:
            staging.place(MODEL_FILE).rename(target / MODEL_FILE)
        return [target, *files]

    def _finish(self, entry: Entry, files: list[Path]) -> bool:
        """Take away the names that a process which was killed had no time to take away."""
        target = path_for(self._models_folder, entry.model.id.partition("~")[0])
        moved = [target / file.name for file in files]
        if not all(new.exists() and new.samefile(old) for old, new in zip(files, moved, strict=True)):
            return False
        _unlink(files)
        return True

    def _join(self, entry: Entry) -> list[Path]:
        """A user's JSON file that came after its model takes the place of what was written for that."""
        if entry.file is None:
            return []
        homes = [other for other in self._library.entries() if self._belongs(entry, other)]
        if len(homes) != 1 or homes[0].file is None or not self._is_generated(homes[0]):
            return []
        folder, generated = homes[0].folder, homes[0].file
        if entry.file.stem == folder.name:
            entry.file.replace(generated)
        else:
            entry.file.rename(folder / entry.file.name)
            generated.unlink()
        return [folder, entry.file]

    def _belongs(self, entry: Entry, other: Entry) -> bool:
        """Whether the other model has the files that a JSON file names, or whose name it has."""
        if other.file is None or not other.owned or other.folder.parent != self._models_folder:
            return False
        names = {file.name for file in files_of(other)}
        wanted = {source.filename for source in entry.model.sources}
        stems = {Path(name).stem for name in names}
        return wanted <= names if wanted else not stems.isdisjoint({entry.file and entry.file.stem})

    def _is_generated(self, entry: Entry) -> bool:
        """Whether its model.json is still what was written for it here."""
        if entry.file is None or entry.file.name != MODEL_FILE:
            return False
        try:
            written = entry.file.read_bytes()
            model = msgspec.json.decode(written, type=Model)
            found = self._engines.inspect(files_of(entry), entry.folder).models
        except (OSError, msgspec.MsgspecError, ModelBrokenError):
            return False
        return len(found) == 1 and written == encode_model(
            msgspec.structs.replace(
                found[0], id=model.id, name=found[0].name or model.id, created=model.created
            )
        )


def _unlink(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink()

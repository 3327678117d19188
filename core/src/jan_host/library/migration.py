"""A model.json of any generation, or with comments, rewritten in canonical form beside a backup."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from jan_host.contract.errors import ModelError
from jan_host.contract.model import Model
from jan_host.library.engines import Engines
from jan_host.library.entries import Entry
from jan_host.library.fields import Notice, setting_name, struct_types
from jan_host.library.generations import Defaults, check_settings, read_model
from jan_host.library.ids import shown_id
from jan_host.library.read import parse_object, read_bytes
from jan_host.library.spelling import own_path, value_at
from jan_host.library.write import encode_model, replace_file

UNUSED = "unused"
"""Under this name `metadata` keeps what the document says and no field of the canonical form takes."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file, as it is and as it would be."""

    file: Path
    before: bytes
    after: bytes

    @property
    def is_needed(self) -> bool:
        """Whether the two differ."""
        return self.before != self.after

    def diff(self) -> str:
        """The difference, as a unified diff."""
        old, new = (text.decode(errors="replace").splitlines() for text in (self.before, self.after))
        return "\n".join(difflib.unified_diff(old, new, str(self.file), str(self.file), lineterm=""))

    def carry_out(self) -> Path:
        """Replace the file in one step; what it was stays beside it.

        Returns:
            The backup: ``model.json.bak``, or with a number behind it where that is taken.

        Raises:
            ModelError: A file can't be written; the old one is as it was.
        """
        try:
            backup = _back_up(self.file, self.before)
            replace_file(self.file, self.after)
        except OSError as error:
            raise ModelError(f"{self.file} can't be rewritten: {error.strerror}.") from None
        return backup


def plan(entry: Entry, engines: Engines) -> Migration | None:
    """How the model.json of an entry would be rewritten; ``None`` where it has none.

    What engines read in the model's files is not written: it can be read there again.

    Raises:
        ModelBrokenError: The file can't be read as a model.
    """
    if entry.file is None:
        return None
    before = read_bytes(entry.file)
    raw = parse_object(before)
    own_name = shown_id(entry.file.parent.name if entry.file.name == "model.json" else entry.file.stem)
    created = int(entry.file.stat().st_mtime)
    model, notices = read_model(raw, Defaults(id=own_name, name=own_name, created=created), engines)
    check_settings(model, engines, notices)
    _use_own_names(model, engines)
    _keep_unused(model, raw, notices, engines)
    return Migration(entry.file, before, encode_model(model))


def _use_own_names(model: Model, engines: Engines) -> None:
    """Give the settings the names by which the model's engine knows them."""
    engine = engines.get(model.engine)
    types = struct_types(engine.Settings) if engine else {}
    model.settings = {setting_name(key, types): value for key, value in model.settings.items()}


def _keep_unused(model: Model, raw: dict[str, object], notices: list[Notice], engines: Engines) -> None:
    engine = engines.get(model.engine)
    types = struct_types(engine.Settings) if engine else {}
    paths = [own_path(raw, notice.field, types) for notice in notices if not notice.is_used]
    unused = {path: value_at(raw, path) for path in paths if path}
    if unused:
        earlier = model.metadata.get(UNUSED)
        if not isinstance(earlier, dict):
            earlier = {} if earlier is None else {f"metadata.{UNUSED}": earlier}
        model.metadata = {**model.metadata, UNUSED: {**earlier, **unused}}


def _back_up(file: Path, content: bytes) -> Path:
    """Keep what is in the file under a name that nothing has, or that has the same."""
    number = 0
    while True:
        backup = file.with_name(f"{file.name}.bak{number or ''}")
        try:
            _keep(file, backup, content)
            return backup
        except FileExistsError:
            # A migration that was killed after its first step has left one.
            if backup.is_file() and backup.read_bytes() == content:
                return backup
        number += 1


def _keep(file: Path, backup: Path, content: bytes) -> None:
    try:
        os.link(file, backup)  # whole from the first moment
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with backup.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())

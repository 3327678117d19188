"""What is wrong with the models of a library, and where."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from jan_host.contract.errors import ModelBrokenError
from jan_host.library.engines import Engines
from jan_host.library.entries import Entry
from jan_host.library.fields import struct_types
from jan_host.library.places import Place, Places
from jan_host.library.read import UnreadableError, decode, parse_object, read_bytes
from jan_host.library.spelling import own_path


class Problem(msgspec.Struct, kw_only=True):
    """One thing that is wrong."""

    level: Literal["error", "warning"]
    """An error keeps the model from running; what a warning is about is ignored, or has no effect."""
    model: str
    file: str
    line: int | None = None
    column: int | None = None
    field: str | None = None
    """As the file spells it."""
    message: str


def find_problems(entries: Iterable[Entry], engines: Engines) -> Iterator[Problem]:
    """Everything that is wrong with the entries."""
    for entry in entries:
        if entry.problem is not None or entry.notices:
            yield from _problems(entry, engines)


def _problems(entry: Entry, engines: Engines) -> Iterator[Problem]:
    about = _About(entry, engines)
    if entry.problem is not None:
        yield about.problem("error", entry.fault, entry.problem)
    for notice in entry.notices:
        yield about.problem("warning", notice.field, notice.text)


class _About:
    """Knows where the fields of one entry stand in its file."""

    def __init__(self, entry: Entry, engines: Engines) -> None:
        self._entry = entry
        engine = engines.get(entry.model.engine)
        self._types = struct_types(engine.Settings) if engine else {}
        self._unreadable: Place | None = None
        self._raw: dict[str, Any] = {}
        self._places = Places("")
        if entry.file is None:
            return
        try:
            data = read_bytes(entry.file)
            self._places = Places(decode(data))
            self._raw = parse_object(data)
        except ModelBrokenError as error:
            place = error.place if isinstance(error, UnreadableError) else None
            self._unreadable = place or self._places.repeated

    def problem(self, level: Literal["error", "warning"], field: str | None, message: str) -> Problem:
        """A problem of the entry, about a field of the canonical form."""
        path = own_path(self._raw, field, self._types) or field if field else None
        place = self._unreadable or (self._places.find(path) if path else None)
        return Problem(
            level=level,
            model=self._entry.model.id,
            file=str(self._entry.file or self._entry.folder),
            line=place.line if place else None,
            column=place.column if place else None,
            field=path,
            message=message,
        )

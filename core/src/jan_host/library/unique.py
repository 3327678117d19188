"""One entry for each id."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from jan_host.contract.model import Model
from jan_host.library.entries import Entry


def by_id(found: Sequence[Entry]) -> dict[str, Entry]:
    """The entries by their ids; of two that have the same, the first that is not broken gets it."""
    entries: dict[str, Entry] = {}
    for entry in sorted(found, key=lambda entry: entry.problem is not None):
        _add(entries, entry)
    return entries


def _add(entries: dict[str, Entry], entry: Entry) -> None:
    """Add an entry; where its id is taken, it is listed as broken beside the one that has it."""
    first = entries.setdefault(entry.model.id, entry)
    if first is entry:
        return
    own, taken = (found.file or found.folder for found in (entry, first))
    reason = f"Its id {entry.model.id} is taken: by {taken}, and here by {own}. Change the field id of one."
    number = 2
    while f"{entry.model.id}~{number}" in entries:
        number += 1
    entries[f"{entry.model.id}~{number}"] = replace(
        entry, model=_renamed(entry.model, f"{entry.model.id}~{number}"), problem=entry.problem or reason
    )


def _renamed(model: Model, model_id: str) -> Model:
    return msgspec.structs.replace(model, id=model_id)

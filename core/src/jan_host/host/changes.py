"""``PATCH``: a few fields of a model.json are changed, the rest stays as the user wrote it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from jan_host.contract.errors import ModelBrokenError, ValidationError
from jan_host.contract.model import HOST_SETTINGS, Model
from jan_host.host.keeping import keep_alive_of
from jan_host.host.settings import MASK, masked
from jan_host.library import Entry, Library


class ModelPatch(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The body of ``PATCH /v1/models/{id}``.

    What is left out stays. In `settings`, `parameters` and `metadata` each name is changed by
    itself, and ``null`` takes it out (JSON Merge Patch, RFC 7396, one level deep).
    """

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


def change(library: Library, entry: Entry, patch: ModelPatch) -> None:
    """Write the model.json anew; a file that was not in canonical form stays beside it as a backup.

    Raises:
        ConflictError: The model lies in a folder that jan-host does not write to.
        ModelBrokenError: It can't be read, so that what is in it would be lost.
        ValidationError: A value can't be used; names the field.
        ModelError: The file can't be written.
    """
    if entry.problem is not None:
        raise ModelBrokenError(
            f"The model {entry.model.id!r} can't be changed: {entry.problem}", param="model"
        )
    migration = library.migration(entry)
    before = entry.model if migration is None else msgspec.json.decode(migration.after, type=Model)
    after = _changed(before, patch)
    engine = entry.model.engine  # the file itself need not name one
    known, told = (
        library.notices(msgspec.structs.replace(model, engine=model.engine or engine))
        for model in (before, after)
    )
    for notice in told:
        if notice not in known:
            raise ValidationError(notice.text, param=notice.field)
    library.check_owned(entry)
    if migration is not None and migration.is_needed:
        migration.carry_out()
    library.write(after, entry.folder)


def _changed(model: Model, patch: ModelPatch) -> Model:
    given = {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}
    for name, value in given.items():
        if isinstance(value, dict):
            given[name] = _merged(name, getattr(model, name), value)
    for name in HOST_SETTINGS & given.get("settings", {}).keys():
        keep_alive_of(given["settings"][name])
    return msgspec.structs.replace(model, **given)


def _merged(table: str, before: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    after = dict(before)
    shown = masked(before, None)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif name in before and value in (MASK, shown[name]):
            continue  # a secret as it was shown, sent back: it stays what it is
        elif any(text == MASK or f"://{MASK}@" in text for text in _texts(value)):
            raise ValidationError(
                f"{table}.{name} holds {MASK!r}, which stands for a secret. Write env:NAME in its place.",
                param=f"{table}.{name}",
            )
        else:
            after[name] = value
    return after


def _texts(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]

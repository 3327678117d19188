"""What a text must match, in the words that clients of other servers have for it, as fields of ours."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from jan_host.contract.errors import InvalidRequestError, ValidationError

Fields = dict[str, Any]

KINDS = ("json", "json_object", "regex", "choice", "grammar")
"""The kinds of ``structured_outputs``; each is also a field by itself, ``guided_`` in front of it."""

_WORDS = msgspec.json.Decoder(dict[str, Any])
_ESCAPED = json.JSONEncoder(ensure_ascii=False).encode


def of_kind(kind: str, value: Any, name: str) -> Fields:
    """The fields for one kind of structure.

    Args:
        kind: One of `KINDS`.
        value: What the client sent for it.
        name: The client's field, for errors.

    Raises:
        ValidationError: It is no such structure.
    """
    if kind == "json":
        return {"response_format": {"type": "json_schema", "json_schema": {"schema": _schema(value, name)}}}
    if kind == "json_object":
        return {"response_format": {"type": "json_object"}} if value else {}
    if kind == "choice":
        return {"grammar": _one_of(value, name)}
    return {kind: value}


def of_all(value: Any, name: str) -> Fields:
    """The fields for ``structured_outputs``, an object with one of `KINDS`.

    Raises:
        ValidationError: It is no object, or has no kind that is known.
        InvalidRequestError: It has several.
    """
    if not isinstance(value, Mapping):
        raise ValidationError(f"{name}: an object is expected.", param=name)
    given = {kind: value[kind] for kind in KINDS if value.get(kind) not in (None, False)}
    if len(given) > 1:
        raise InvalidRequestError(
            f"{name} has {' and '.join(given)}: a text can be held to one of them. Send one.", param=name
        )
    if not given and any(item not in (None, False) for item in value.values()):
        raise ValidationError(f"{name}: it has none of {', '.join(KINDS)}.", param=name)
    fields: Fields = {}
    for kind, wanted in given.items():
        fields |= of_kind(kind, wanted, f"{name}.{kind}")
    return fields


def _schema(value: Any, name: str) -> dict[str, Any]:
    """A JSON schema, which may come as text."""
    if not isinstance(value, str):
        return value  # type: ignore[no-any-return]  # of any type: the request's own type is held against it
    try:
        return _WORDS.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValidationError(f"{name}: the text is no JSON schema: {error}.", param=name) from None


def _one_of(value: Any, name: str) -> str:
    """A grammar of one of several texts."""
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text for text in value):
        raise ValidationError(f"{name}: a list of texts is expected.", param=name)
    return "root ::= " + " | ".join(_ESCAPED(text) for text in value)

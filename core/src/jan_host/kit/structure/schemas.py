"""JSON schemas before they are compiled: how deep they may be, and which of their parts is to blame."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from jan_host.contract.errors import InvalidRequestError
from jan_host.kit.structure.rewording import OF_LISTS, OF_MANY, OF_ONE, reworded

_DEEPEST: Final = 100
"""Levels of lists and objects; the compiler's own JSON reader gives up at 128."""
_SHARED: Final = ("$defs", "definitions")
_ANNOTATIONS: Final = ("$schema", "x-guidance")
"""At the root, of no meaning for the text; the second one would change how the compiler works."""


def checked_schema(schema: dict[str, Any], param: str, *, exact: bool) -> dict[str, Any]:
    """The schema as it goes to the compiler.

    Args:
        schema: The schema.
        param: The field of the request that it came from, for errors.
        exact: See `reworded`.

    Raises:
        InvalidRequestError: It is nested too deeply.
    """
    level: list[Any] = [schema]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in _inside(item)]
        if not level:
            break
    else:
        raise InvalidRequestError(
            f"The schema is nested more than {_DEEPEST} levels deep. Make it flatter, with $defs and $ref.",
            param=param,
        )
    plain = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    return reworded(plain, exact=exact)


def blamed_part(schema: Any, complaint: str, complaint_about: Callable[[str], str | None]) -> str:
    """Which part of a schema the compiler complains about, as a JSON pointer; empty for the whole.

    Args:
        schema: The schema.
        complaint: What the compiler said about it.
        complaint_about: Compiles another schema, given as text; ``None`` where it likes it, or when it was
            asked often enough.
    """
    place = ""
    shared = {key: schema[key] for key in _SHARED if isinstance(schema, dict) and key in schema}
    part = schema
    while True:
        for step, child in _parts(part):
            if not isinstance(child, dict):
                continue  # true or false: the compiler takes no such schema by itself
            if complaint_about(_alone(child, shared, step)) == complaint:
                place, part = f"{place}/{step}", child
                break
        else:
            return place


def _alone(part: dict[str, Any], shared: dict[str, Any], step: str) -> str:
    """A part as a schema of its own; definitions go with it, unless it is one of them."""
    return json.dumps(part if step.startswith(_SHARED) else {**shared, **part})


def _parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, each with its way from there."""
    if not isinstance(schema, dict):
        return
    for key in OF_MANY:
        if isinstance(schema.get(key), dict):
            for name, child in schema[key].items():
                yield f"{key}/{_escaped(name)}", child
    for key in OF_LISTS:
        if isinstance(schema.get(key), list):
            for number, child in enumerate(schema[key]):
                yield f"{key}/{number}", child
    for key in OF_ONE:
        if isinstance(schema.get(key), dict):
            yield key, schema[key]


def _escaped(name: str) -> str:
    """A name in a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _inside(item: Any) -> Iterator[Any]:
    if isinstance(item, dict):
        yield from item.values()
    elif isinstance(item, list):
        yield from item

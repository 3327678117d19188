"""Read an object from a file that should be JSON and may be what people write in its place.

Strict JSON comes first. Where it fails, `jan_host.library.lenient` reads comments, unquoted
keys, trailing or missing commas and missing outer braces.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from jan_host.contract.errors import ModelBrokenError
from jan_host.library.lenient import parse_lenient

MAX_BYTES = 1024 * 1024
MAX_LENIENT_CHARACTERS = 64 * 1024
"""The lenient reader is slow, and what is written by hand is small."""
MAX_DEPTH = 32


def read_object(file: Path) -> dict[str, Any]:
    """The object that `file` holds.

    Raises:
        ModelBrokenError: Says why the file can't be read.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelBrokenError(f"{file.name} can't be read: {error.strerror}.") from None
    try:
        return parse_object(data)
    except ModelBrokenError as error:
        raise ModelBrokenError(f"{file.name} can't be read: {error.message}") from None


def parse_object(data: bytes) -> dict[str, Any]:
    """The object that `data` holds: keys are unique, numbers finite, texts whole, nesting shallow.

    Raises:
        ModelBrokenError: Says what is wrong, and where.
    """
    text = _decode(data)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        _refuse_depth()
    except ValueError as error:
        value = _parse_leniently(text, error)
    if not isinstance(value, dict):
        raise ModelBrokenError("it holds no JSON object. Write {...} with the fields of a model.")
    _check(value, MAX_DEPTH)
    return value


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise ModelBrokenError(f"it is larger than {MAX_BYTES} bytes, which no model.json is.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelBrokenError(f"it is not text in UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    if "\0" in text:
        raise ModelBrokenError("it is not text: it has NUL characters.")
    if not text.strip():
        raise ModelBrokenError("it is empty. Delete it, or write {} into it.")
    return text


def _parse_leniently(text: str, strict: ValueError) -> Any:
    if len(text) > MAX_LENIENT_CHARACTERS:
        raise ModelBrokenError(f"it is not JSON: {strict}.")
    try:
        return parse_lenient(text, _unique)
    except RecursionError:
        _refuse_depth()
    except ValueError as error:
        raise ModelBrokenError(f"it is not JSON, and not readable as JSON with comments: {error}.") from None


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ModelBrokenError(f"the key {key!r} occurs twice in one object. Keep one of them.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ModelBrokenError(f"{name} is not a number of JSON. Write a finite number or null.")


def _refuse_depth() -> NoReturn:
    raise ModelBrokenError(f"its objects and lists are nested more than {MAX_DEPTH} deep.")


def _check(value: Any, depth: int) -> None:
    """Refuse what can be parsed, and not be sent on: to a worker, or to a client."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ModelBrokenError(f"the text {value!r} has half of a surrogate pair.") from None
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ModelBrokenError("it has a whole number of more than 64 bits.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ModelBrokenError("it has a number that is too large.")
    elif isinstance(value, dict | list):
        if not depth:
            _refuse_depth()
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(item, depth - 1)

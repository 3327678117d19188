"""Read an object from a file that should be JSON and may be what people write in its place.

Strict JSON comes first. Where it fails, `jan_host.library.lenient` reads comments, unquoted
keys, trailing or missing commas and missing outer braces.
"""

import json
import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from jan_host.contract.errors import ModelBrokenError
from jan_host.library.lenient import parse_lenient
from jan_host.library.places import Place

MAX_BYTES = 1024 * 1024
MAX_LENIENT_CHARACTERS = 64 * 1024
"""The lenient reader is slow, and what is written by hand is small."""
MAX_DEPTH = 32


class UnreadableError(ModelBrokenError):
    """The text is no object; `place` is where that shows, if it shows at one place."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place


def read_object(file: Path) -> dict[str, Any]:
    """The object that `file` holds.

    Raises:
        ModelBrokenError: Says why the file can't be read.
    """
    try:
        return parse_object(read_bytes(file))
    except ModelBrokenError as error:
        place = error.place if isinstance(error, UnreadableError) else None
        raise UnreadableError(f"{file.name} can't be read: {error.message}", place) from None


def read_bytes(file: Path) -> bytes:
    """What is in the file, or a little more of it than `parse_object` takes.

    Raises:
        ModelBrokenError: Says why there is nothing.
    """
    try:
        # A pipe that takes the file's place after it was looked at must not keep us waiting.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ModelBrokenError("it is no file.")
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelBrokenError(f"{error.strerror}.") from None


def parse_object(data: bytes) -> dict[str, Any]:
    """The object that `data` holds: keys are unique, numbers finite, texts whole, nesting shallow.

    Raises:
        ModelBrokenError: Says what is wrong, and where.
    """
    text = decode(data)
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


def decode(data: bytes) -> str:
    """The text of a file.

    Raises:
        ModelBrokenError: It is none.
    """
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
        raise UnreadableError(f"it is not JSON: {strict}.", _place_of(strict))
    try:
        return parse_lenient(text, _unique)
    except RecursionError:
        _refuse_depth()
    except ValueError as error:
        reason = f"it is not JSON, and not readable as JSON with comments: {error}."
        raise UnreadableError(reason, _place_of(error)) from None


def _place_of(error: ValueError) -> Place | None:
    """Where a reader gave up, as both of them say it."""
    line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
    return Place(line, column) if line and column else None


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

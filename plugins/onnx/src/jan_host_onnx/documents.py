"""The JSON files beside a graph."""

import json
from pathlib import Path
from typing import Any, Final

from jan_host import ModelBrokenError

MOST_BYTES: Final = 16 * 1024 * 1024
"""Configuration is small; a tokenizer.json is not read here."""


def read_object(path: Path | None) -> dict[str, Any]:
    """The object in a JSON file; an empty one when there is no file.

    Raises:
        ModelBrokenError: The file holds something else.
    """
    content = _read(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ModelBrokenError(f"{path and path.name} holds no JSON object. Download it again.")
    return content


def read_list(path: Path | None) -> list[Any]:
    """The list in a JSON file; an empty one when there is no file. Errors as in `read_object`."""
    content = _read(path)
    if content is None:
        return []
    if not isinstance(content, list):
        raise ModelBrokenError(f"{path and path.name} holds no JSON list. Download it again.")
    return content


def _read(path: Path | None) -> Any:
    if path is None or not path.is_file():
        return None
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelBrokenError(f"{path.name} is too large for a file of settings. Download it again.")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ModelBrokenError(f"{path.name} can't be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelBrokenError(f"{path.name} is not valid JSON ({error}). Download it again.") from error


def whole_number(value: object) -> int | None:
    """A number of tokens as configurations write it; absurd ones, which mean "no limit", are ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value < 2**31 else None

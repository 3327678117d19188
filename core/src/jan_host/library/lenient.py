"""The lenient reader: Hjson, with two steps before it for the samples that people copy.

Hjson reads ``//`` and ``#`` comments, unquoted keys, trailing and missing commas, and a body
without its outer braces. The seeds' samples need a little more, line by line:

- ``"id": {model_file_name},`` is a placeholder, and means "not set";
- ``"download_url": "model.bin" -`` has a dash that belongs to nothing;
- ``owned_by: me, // why``: Hjson would take an unquoted text up to the line's end for the value;
- lines that held nothing but brackets got lost (the engine-parameters generation). Only where
  the text can't be read otherwise and has a key directly inside a list, they are put back: such
  a key begins an object, and a field of the model itself ends whatever is open. (A file whose
  end is missing shows no such key, and stays unreadable.)
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from jan_host.library.fields import FIELDS, LOOSE_SETTINGS

_KEY = r'^(?P<key>[ \t]*(?:"[^"\n]*"|[\w-]+)[ \t]*:[ \t]*)'
_END = r"(?P<end>[ \t]*(?:,[ \t]*)?(?:(?:\#|//).*)?)$"
_PLACEHOLDER = re.compile(_KEY + r"\{[ \t]*[A-Za-z_][\w -]*\}" + _END, re.MULTILINE)
_DASH = re.compile(_KEY + r'(?P<value>"[^"\\\n]*")[ \t]*-[ \t]*$', re.MULTILINE)
_BARE = re.compile(_KEY + r"(?!(?:true|false|null)\b)(?P<value>[A-Za-z_][\w.+/-]*)" + _END, re.MULTILINE)
_LEADING_KEY = re.compile(r'[ \t]*"?([\w-]+)"?[ \t]*:')
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|\#.*|//.*|[][{}]')

_CLOSERS = {"{": "}", "[": "]"}

Pairs = Callable[[Iterable[tuple[str, Any]]], Any]


def parse_lenient(text: str, pairs: Pairs) -> Any:
    """The value that `text` holds.

    Args:
        text: What is not strict JSON.
        pairs: Makes an object from its keys and values.

    Raises:
        ValueError: It can't be read; says why and where.
        RecursionError: It is nested too deep.
    """
    tidy = _tidy(text.replace("\r\n", "\n"))
    try:
        return _parse(tidy, pairs)
    except ValueError as error:
        restored = _restore_brackets(tidy)
        if restored is None:
            raise
        try:
            return _parse(restored, pairs)
        except ValueError:
            raise error from None


def _parse(text: str, pairs: Pairs) -> Any:
    import hjson

    try:
        value = hjson.loads(text, object_pairs_hook=pairs)
    except (IndexError, OverflowError) as error:  # how Hjson meets an open comment, or 1e999
        raise ValueError(f"it ends too early, or a number is too large ({error})") from None
    if value == {} and "{" not in text:
        raise ValueError("it has nothing but comments")
    return value


def _tidy(text: str) -> str:
    text = _PLACEHOLDER.sub(r"\g<key>null\g<end>", text)
    text = _DASH.sub(r"\g<key>\g<value>", text)
    return _BARE.sub(r'\g<key>"\g<value>"\g<end>', text)


def _restore_brackets(text: str) -> str | None:
    """The text with its lost brackets, or ``None`` when it does not look as if any were lost."""
    is_lossy = False
    lines: list[str] = []
    stack: list[str] = []
    base = int(text.lstrip().startswith("{"))
    for line in text.split("\n"):
        key = _LEADING_KEY.match(line)
        if key and key[1] in FIELDS - LOOSE_SETTINGS:
            lines.extend(_CLOSERS[bracket] for bracket in reversed(stack[base:]))
            del stack[base:]
        elif key and stack and stack[-1] == "[":
            is_lossy = True
            lines.append("{")
            stack.append("{")
        lines.extend(_missing_closers(line, stack))
        lines.append(line)
    lines.extend(_CLOSERS[bracket] for bracket in reversed(stack))
    return "\n".join(lines) if is_lossy else None


def _missing_closers(line: str, stack: list[str]) -> list[str]:
    """Follow the brackets of a line; what must be closed before it, so that its own closers fit."""
    missing = []
    for token in _BRACKETS.findall(line):
        if token in _CLOSERS:
            stack.append(token)
        elif token in ("}", "]"):
            while len(stack) > 1 and _CLOSERS[stack[-1]] != token:
                missing.append(_CLOSERS[stack.pop()])
            if stack:
                stack.pop()
    return missing

"""What is asked before an operator, a method of a text or a filter makes something large.

Each check takes the arguments of what it stands before, and raises when the budget does not allow it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jan_host.kit.budget import TemplateLimitError, current

Check = Callable[..., None]

_SIZED = (str, list, tuple)

_LONG_NUMBER = re.compile(r"%[^a-zA-Z%]*?(?:\d{5}|\*)")


def _check_repeat(value: Any, times: Any) -> None:
    """`value` is about to be repeated, as ``value * times`` does."""
    if isinstance(value, _SIZED) and isinstance(times, int):
        current().grow(len(value) * max(times, 0))
    elif isinstance(value, int) and isinstance(times, int):
        current().bits(value.bit_length() + times.bit_length())


def _check_printf(text: Any, values: Any) -> None:
    """`text` is about to be filled as ``text % values`` does."""
    if isinstance(text, str):
        if _LONG_NUMBER.search(text):
            raise TemplateLimitError("it formats with a width above 9999")
        budget = current()
        budget.grow(len(text) + text.count("%") * budget.flat(values))


def _check_replace(text: Any, old: Any = "", new: Any = "", count: Any = None) -> None:
    """`old` is about to be replaced by `new`."""
    if isinstance(text, str) and isinstance(old, str) and isinstance(new, str):
        current().grow(len(text) + (text.count(old) if old else len(text) + 1) * len(new))


def _check_join(values: Any, between: Any = "", attribute: Any = None) -> None:
    """`values` are about to be put together with `between`."""
    budget = current()
    budget.grow(budget.flat(values) + (len(values) * len(between) if isinstance(between, str) else 0))


def _check_indent(text: Any, width: Any = 4, first: Any = False, blank: Any = False) -> None:
    size = len(width) if isinstance(width, str) else int(width)
    if isinstance(text, str):
        current().grow(len(text) + (len(text.splitlines()) + 1) * size)


def _add(left: Any, right: Any) -> None:
    if isinstance(left, _SIZED) and isinstance(right, _SIZED):
        current().grow(len(left) + len(right))


def _multiply(left: Any, right: Any) -> None:
    _check_repeat(left, right)
    _check_repeat(right, left)


def _power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        current().bits(left.bit_length() * max(right, 0))


OPERATORS: Mapping[str, Check] = {
    "+": _add,
    "*": _multiply,
    "**": _power,
    "%": _check_printf,
}
"""Before a binary operator."""


def _padded(text: str, width: Any = 8, *_: Any, **named: Any) -> None:
    """A text is about to be filled up to `width`, or its tabs are."""
    current().count(width)
    for other in named.values():
        current().count(other)
    current().grow(max(len(text), width if isinstance(width, int) else 0))


def _tabs(text: str, tabsize: Any = 8) -> None:
    current().count(tabsize)
    current().grow(len(text) + text.count("\t") * (tabsize if isinstance(tabsize, int) else 0))


METHODS: Mapping[str, Check] = {
    "center": _padded,
    "expandtabs": _tabs,
    "join": lambda between, values: _check_join(values, between),
    "ljust": _padded,
    "replace": _check_replace,
    "rjust": _padded,
    "zfill": _padded,
}
"""Before a method of a text, which comes first among the arguments."""


FILTERS: Mapping[str, Check] = {
    "format": lambda text, *args, **named: _check_printf(text, named or args),
    "indent": _check_indent,
    "join": _check_join,
    "replace": _check_replace,
}
"""Before a filter of Jinja; the value comes first among the arguments."""

"""The filters and tests that a chat template may use, each held to the budget of the rendering.

Jinja's filters that draw random numbers, write HTML or run regular expressions over a text have no place
in a prompt and are left out.
"""

import html
import json
import operator
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from jan_host.kit.budget import current
from jan_host.kit.checks import FILTERS as CHECKS

Function = Callable[..., Any]

_CHEAP = (
    *("abs", "attr", "count", "d", "default", "first", "float", "int", "items", "last", "length", "list"),
    "reverse",
)
_LAZY = ("map", "reject", "rejectattr", "select", "selectattr")
_WEIGHED = (
    *("batch", "capitalize", "center", "dictsort", "format", "groupby", "indent", "join", "lower", "max"),
    *("min", "replace", "round", "slice", "sort", "string", "title", "trim", "truncate", "unique", "upper"),
    *("urlencode", "wordcount"),
)
_TESTS: dict[str, Any] = dict(TESTS)
_COMPARING = frozenset(
    name
    for name, test in _TESTS.items()
    if test in (operator.eq, operator.ne, operator.gt, operator.ge, operator.lt, operator.le) or name == "in"
)


def all_filters() -> dict[str, Any]:
    """Every filter of the sandbox by its name."""
    return {
        **{name: _cheap(FILTERS[name]) for name in _CHEAP},
        **{name: _lazy(FILTERS[name]) for name in _LAZY},
        **{name: _weighed(FILTERS[name], CHECKS.get(name)) for name in _WEIGHED},
        "e": _escape,
        "escape": _escape,
        "forceescape": _escape,
        "safe": _written,
        "sum": _sum,
        "tojson": _tojson,
    }


def all_tests() -> dict[str, Any]:
    """Every test of the sandbox by its name."""
    return {name: _compared(test) if name in _COMPARING else test for name, test in _TESTS.items()}


def _cheap(function: Function) -> Function:
    """A filter whose cost does not depend on its value's depth."""

    @wraps(function)  # also takes over Jinja's mark for the argument that it passes first
    def guarded(*args: Any, **named: Any) -> Any:
        current().tick()
        return function(*args, **named)

    return guarded


def _lazy(function: Function) -> Function:
    """A filter that yields: each step counts."""

    @wraps(function)
    def guarded(*args: Any, **named: Any) -> Iterator[Any]:
        tick = current().tick
        for item in function(*args, **named):
            tick()
            yield item

    return guarded


def _weighed(function: Function, check: Function | None) -> Function:
    """A filter that reads or writes out the whole value."""
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def guarded(*args: Any, **named: Any) -> Any:
        budget = current()
        value, rest = args[first], args[first + 1 :]
        if isinstance(value, Iterator):
            value = list(value)
        for extra in (*rest, *named.values()):
            budget.count(extra)
        budget.grow(budget.flat(value) + budget.flat(rest))
        if check is not None:
            check(value, *rest, **named)
        return function(*args[:first], value, *rest, **named)

    return guarded


def _compared(test: Function) -> Function:
    @wraps(test)
    def guarded(left: Any, right: Any) -> Any:
        budget = current()
        budget.flat(left)
        budget.flat(right)
        return test(left, right)

    return guarded


def _written(value: Any) -> str:
    """The value as plain text: there is no HTML here that could be unsafe."""
    budget = current()
    budget.grow(budget.flat(value))
    return str(value)


def _escape(value: Any) -> str:
    return html.escape(_written(value)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _sum(values: Any, attribute: str | int | None = None, start: float = 0) -> Any:
    if not isinstance(start, int | float):
        raise TypeError("sum adds numbers only")
    budget = current()
    found = list(values) if attribute is None else [value[attribute] for value in values]
    budget.flat(found)
    return sum(found, start)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as chat templates are written for: no HTML escapes, and other scripts as they are."""
    budget = current()
    budget.count(indent)
    if isinstance(value, Iterator):
        value = list(value)
    budget.grow(budget.flat(value) * (1 + (indent or 0)))
    written = json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
    if ensure_ascii and budget.marker:
        written = written.replace(json.dumps(budget.marker)[1:-1], budget.marker)
    return written

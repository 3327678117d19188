"""Calls that a model wrote as Python: read, never run."""

import ast
import json
from collections.abc import Sequence
from typing import Final

from jan_host.kit.tools.feed import Feed, MalformedError
from jan_host.kit.tools.said import Sink

_LONGEST: Final = 1 << 16


def read_calls(code: str) -> Sequence[tuple[str, str]]:
    """The calls in Python, such as ``print(look(city="Paris"))``, ``[a(x=1), b()]`` or ``a.call(x=1)``.

    Returns:
        Name and arguments of each, these as JSON.

    Raises:
        MalformedError: It is something else, or an argument has no name or is nothing that JSON has.
    """
    if len(code) > _LONGEST:
        raise MalformedError
    try:
        tree = ast.parse(code.strip())
        return [_call(node) for statement in tree.body for node in _nodes(statement)]
    # What a model wrote may be too deep, too large or hold zero bytes.
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise MalformedError from error


def _nodes(statement: ast.stmt) -> Sequence[ast.expr]:
    if not isinstance(statement, ast.Expr):
        raise MalformedError
    value = statement.value
    return value.elts if isinstance(value, ast.List | ast.Tuple) else [value]


def give_calls(calls: Sequence[tuple[str, str]], feed: Feed, sink: Sink) -> None:
    """Hand on calls that `read_calls` found.

    Raises:
        MalformedError: There are none, or one names no tool.
    """
    if not calls or any(name not in sink.names for name, _ in calls):
        raise MalformedError
    for name, arguments in calls:
        if sink.may_call(name):
            sink.call(name)
            sink.arguments(arguments)
    feed.mark()


def _call(node: ast.expr) -> tuple[str, str]:
    if not isinstance(node, ast.Call):
        raise MalformedError
    called = node.func
    if isinstance(called, ast.Attribute) and called.attr == "call":
        called = called.value
    if not isinstance(called, ast.Name):
        raise MalformedError
    if called.id == "print" and len(node.args) == 1:
        return _call(node.args[0])
    if node.args:
        raise MalformedError
    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg}
    if len(arguments) != len(node.keywords):
        raise MalformedError
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    text.encode()  # half a surrogate pair is no text
    return called.id, text

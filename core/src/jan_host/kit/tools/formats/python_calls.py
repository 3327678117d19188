"""Calls that a model wrote as Python: read, never run."""

import ast
from collections.abc import Sequence
from typing import Any, Final

from jan_host.kit.tools.feed import MalformedError

_LONGEST: Final = 1 << 16


def read_calls(code: str) -> Sequence[tuple[str, dict[str, Any]]]:
    """The calls in a line of Python, such as ``print(look(city="Paris"))`` or ``[a(x=1), b()]``.

    Raises:
        MalformedError: It is something else, or an argument has no name or is no literal.
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


def _call(node: ast.expr) -> tuple[str, dict[str, Any]]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise MalformedError
    if node.func.id == "print" and len(node.args) == 1:
        return _call(node.args[0])
    if node.args:
        raise MalformedError
    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg}
    if len(arguments) != len(node.keywords):
        raise MalformedError
    return node.func.id, arguments

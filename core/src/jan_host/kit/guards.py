"""What stands in a template's program where Jinja itself asks nobody: loops, comparisons, ``~``, output."""

from collections.abc import Iterator
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from jan_host.kit.budget import TemplateLimitError, current

_PLAIN = (str, int, float)


class Guards(NodeTransformer):
    """Puts a filter of the sandbox wherever a template's program needs one."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  # Jinja's name for it
        """A loop: each step counts."""
        self.generic_visit(node)
        node.iter = _guard(node.iter, "_each")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802  # Jinja's name for it
        """``~``: the text that it makes is measured."""
        self.generic_visit(node)
        return _guard(nodes.List(node.nodes, lineno=node.lineno), "_join")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802  # Jinja's name for it
        """A comparison: both sides are measured, unless one is a constant."""
        self.generic_visit(node)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if not any(isinstance(side, nodes.Const) for side in sides):
            node.expr = _guard(node.expr, "_compared")
            for operand in node.ops:
                operand.expr = _guard(operand.expr, "_compared")
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802  # Jinja's name for it
        """A tuple of values that are not known yet: it may hold no other."""
        self.generic_visit(node)
        if node.ctx != "load" or all(isinstance(item, nodes.Const) for item in node.items):
            return node
        return _guard(node, "_flat")


def _guard(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class _Each:
    """What a loop walks over, one step of the budget for each item."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        tick = current().tick
        for item in self._items:
            tick()
            yield item

    def __len__(self) -> int:
        return len(self._items)


def _each(items: Any) -> _Each:
    return _Each(items)


def _join(values: list[Any]) -> str:
    budget = current()
    budget.grow(sum(map(budget.flat, values)))
    return "".join([value if type(value) is str else str(value) for value in values])


def _compared(value: Any) -> Any:
    """A side of a comparison: lists nested in each other many times compare for ever."""
    if not isinstance(value, _PLAIN):
        current().flat(value)
    return value


def _flat(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """A tuple without tuples inside: as a key, nested ones are hashed for ever."""
    if any(isinstance(item, tuple) for item in value):
        raise TemplateLimitError("it nests tuples")
    return value


def written_out(value: Any) -> Any:
    """A value that is about to be written into the prompt."""
    budget = current()
    budget.grow(budget.flat(value))
    return value


GUARDS = {"_compared": _compared, "_each": _each, "_flat": _flat, "_join": _join}
"""The filters that `Guards` puts in."""

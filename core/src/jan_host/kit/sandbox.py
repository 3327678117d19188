"""A Jinja environment in which a stranger's chat template can do no harm.

On top of Jinja's immutable sandbox, which keeps a template from Python's internals, everything that can
take time or memory out of proportion asks the current `budget` first: loops, calls, filters, operators,
comparisons, and what is written out. No single step is long, so a template ends soon after its deadline
on whatever thread it runs, without that thread having to be interrupted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.environment import Template
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from jan_host.kit.budget import TemplateLimitError, current
from jan_host.kit.filters import (
    all_filters,
    all_tests,
    check_join,
    check_printf,
    check_repeat,
    check_replace,
)

_TEXT_METHODS = frozenset(name for name in dir(str) if not name.startswith("_")) - {
    *("encode", "format", "format_map", "maketrans", "translate")
}
"""What a template may call on a text: no bytes, no translation tables; `wrap_str_format` does the rest."""
_GLOBALS = ("cycler", "dict", "joiner", "namespace", "range")
_HIDDEN_WIDTH = re.compile(r"\{[^{}]*:[^{}]*(?:\{|\d{5})")


class RaisedError(TemplateError):
    """The template called ``raise_exception``."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of chat templates, with what Hugging Face's templates expect of one."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[LoopControlExtension, _GenerationTag],
            finalize=_written_out,
            optimized=False,  # else constants are computed before there is a budget
            cache_size=0,
        )
        self.filters = all_filters() | {
            "_compared": _compared,
            "_each": _each,
            "_flat": _flat,
            "_join": _join,
        }
        self.tests = all_tests()
        self.globals = {name: self.globals[name] for name in _GLOBALS}
        self.globals.update(raise_exception=_raise_exception, strftime_now=_strftime_now)

    @staticmethod
    def concat(pieces: Any) -> str:
        """What a template, macro or block has written, as one text."""
        budget = current()
        total = 0
        found = []
        for piece in pieces:
            total += len(piece)
            if total > budget.characters:
                raise TemplateLimitError(f"it writes more than {budget.characters} characters")
            found.append(piece)
        return "".join(found)

    def template(self, source: str) -> Template:
        """The template, ready to render.

        Raises:
            TemplateSyntaxError: With the line.
            SyntaxError, RecursionError, MemoryError, ValueError: It is nested too deep for a program.
        """
        tree = _Guards().visit(self.parse(source))
        tree.set_environment(self)
        return Template.from_code(self, self.compile(tree), self.make_globals(None))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operator whose result may be far larger than its operands."""
        _OPERATORS[operator](left, right)
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may use the attribute."""
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        return not isinstance(obj, bytes | int | float) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """``str.format`` as the sandbox allows it, with its size checked."""
        fill = super().wrap_str_format(value)
        if fill is None:
            return None
        text: str = value.__self__

        def checked(*args: Any, **named: Any) -> str:
            if _HIDDEN_WIDTH.search(text):
                raise TemplateLimitError("it formats with a width above 9999, or one from a variable")
            budget = current()
            budget.grow(len(text) + text.count("{") * budget.flat([args, named]))
            return fill(*args, **named)

        return checked

    # Jinja passes these three by position, so that they can't clash with the call's own names.
    def call(_self, _context: Context, _called: Any, /, *args: Any, **named: Any) -> Any:  # noqa: N805  # as in Jinja
        """A call of a macro, a function or a method."""
        budget = current()
        budget.tick()
        owner = getattr(_called, "__self__", None)
        if isinstance(owner, str):
            args = tuple(list(value) if isinstance(value, Iterator) else value for value in args)
            check = _METHODS.get(_called.__name__)
            if check is not None:
                check(owner, *args, **named)
        elif isinstance(owner, list | tuple):
            budget.flat(owner)
        return super().call(_context, _called, *args, **named)


class _Guards(NodeTransformer):
    """Puts a filter of the sandbox wherever a template's program needs one."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  # Jinja's name for it
        self.generic_visit(node)
        node.iter = _guard(node.iter, "_each")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802  # Jinja's name for it
        self.generic_visit(node)
        return _guard(nodes.List(node.nodes, lineno=node.lineno), "_join")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802  # Jinja's name for it
        self.generic_visit(node)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if not any(isinstance(side, nodes.Const) for side in sides):
            node.expr = _guard(node.expr, "_compared")
            for operand in node.ops:
                operand.expr = _guard(operand.expr, "_compared")
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802  # Jinja's name for it
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
    if not isinstance(value, str | int | float):
        current().flat(value)
    return value


def _flat(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """A tuple without tuples inside: as a key, nested ones are hashed for ever."""
    if any(isinstance(item, tuple) for item in value):
        raise TemplateLimitError("it nests tuples")
    return value


def _written_out(value: Any) -> Any:
    budget = current()
    budget.grow(budget.flat(value))
    return value


def _add(left: Any, right: Any) -> None:
    if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
        current().grow(len(left) + len(right))


def _multiply(left: Any, right: Any) -> None:
    check_repeat(left, right)
    check_repeat(right, left)


def _power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        current().bits(left.bit_length() * max(right, 0))


_OPERATORS: Mapping[str, Callable[[Any, Any], None]] = {
    "+": _add,
    "*": _multiply,
    "**": _power,
    "%": check_printf,
}


def _padded(text: str, width: Any = 8, *_: Any, **named: Any) -> None:
    """A text is about to be filled up to `width`, or its tabs are."""
    current().count(width)
    for other in named.values():
        current().count(other)
    current().grow(max(len(text), width if isinstance(width, int) else 0))


def _tabs(text: str, tabsize: Any = 8) -> None:
    current().count(tabsize)
    current().grow(len(text) + text.count("\t") * (tabsize if isinstance(tabsize, int) else 0))


_METHODS: Mapping[str, Callable[..., None]] = {
    "center": _padded,
    "expandtabs": _tabs,
    "join": lambda between, values: check_join(values, between),
    "ljust": _padded,
    "replace": check_replace,
    "rjust": _padded,
    "zfill": _padded,
}


def _raise_exception(message: str) -> NoReturn:
    raise RaisedError(str(message))


def _strftime_now(pattern: str) -> str:
    if len(pattern) > 256 or re.search(r"%[^a-zA-Z%]*\d", pattern):
        raise TemplateLimitError("it asks for a date of unusual length")
    return datetime.now().strftime(pattern)


class _GenerationTag(Extension):
    """``{% generation %}`` marks what a model wrote, for training; here its body is all there is."""

    tags = {"generation"}  # noqa: RUF012  # declared by Jinja as it is

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)

"""A Jinja environment in which a stranger's chat template can do no harm.

On top of Jinja's immutable sandbox, which keeps a template from Python's internals, everything that can
take time or memory out of proportion asks the current `budget` first: loops, calls, filters, operators,
comparisons, and what is written out. No single step is long, so a template ends soon after its deadline
on whatever thread it runs, without that thread having to be interrupted.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.environment import Template
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jan_host.kit.budget import TemplateLimitError, current
from jan_host.kit.checks import METHODS, OPERATORS
from jan_host.kit.filters import all_filters, all_tests
from jan_host.kit.guards import GUARDS, Guards, written_out

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
            finalize=written_out,
            optimized=False,  # else constants are computed before there is a budget
            cache_size=0,
        )
        self.filters = all_filters() | GUARDS
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
        tree = Guards().visit(self.parse(source))
        tree.set_environment(self)
        return Template.from_code(self, self.compile(tree), self.make_globals(None))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operator whose result may be far larger than its operands."""
        OPERATORS[operator](left, right)
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
            check = METHODS.get(_called.__name__)
            if check is not None:
                check(owner, *args, **named)
        elif isinstance(owner, (list, tuple)):
            budget.flat(owner)
        return super().call(_context, _called, *args, **named)


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

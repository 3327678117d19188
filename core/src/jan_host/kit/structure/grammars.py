"""A model's grammars: compiled beside the event loop, one at a time, and kept for later requests."""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

from jan_host.contract.errors import (
    JanHostError,
    TooManyRequestsError,
    UnavailableError,
    UnsupportedError,
)
from jan_host.kit.machine import usable_cores
from jan_host.kit.structure.constraint import Constraint
from jan_host.kit.structure.forms import Form
from jan_host.kit.structure.lazy import LazyConstraint
from jan_host.kit.structure.triggers import LazyForm
from jan_host.kit.structure.vocabulary import TokenTable

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from jan_host.kit.structure.compiling import Compiler

_KEPT: Final = 64
"""Grammars kept, those that were refused too."""
_MOST_WAITING: Final = 32
"""Grammars that may be compiled or wait for that."""
_SECONDS: Final = 5.0
"""How long a grammar may take to compile."""


class Grammars:
    """What the texts of one model may be held to. Made and used on the event loop.

    Args:
        table: The model's vocabulary.
    """

    def __init__(self, table: TokenTable) -> None:
        self._table = table
        self._compiler: Compiler | None = None
        self._compiling = ThreadPoolExecutor(1, thread_name_prefix="grammar")
        self._masks = ThreadPoolExecutor(usable_cores(), thread_name_prefix="mask")
        self._known: OrderedDict[Form, asyncio.Future[LLMatcher | JanHostError]] = OrderedDict()
        self._closed = False

    async def constraints(self, form: Form, choices: int, *, forces: bool = False) -> list[Constraint]:
        """A constraint for each choice of a request.

        Args:
            form: What the texts must match.
            choices: How many texts.
            forces: Whether `Constraint.accept` may give tokens that can come alone.

        Raises:
            InvalidRequestError: The form is wrong, matches nothing or is too complex; says where and why.
            UnsupportedError: llguidance is not installed.
            TooManyRequestsError: Too many grammars wait to be compiled.
        """
        matcher = await asyncio.shield(self._compiled(form))
        if isinstance(matcher, JanHostError):
            raise matcher
        return [
            Constraint(
                matcher.deep_copy(), self._table.ends, param=form.param, workers=self._masks, forces=forces
            )
            for _ in range(choices)
        ]

    async def lazy_constraints(
        self, lazy: LazyForm, choices: int, *, forces: bool = False
    ) -> list[LazyConstraint]:
        """A constraint for each choice, which holds behind triggers; see `constraints`.

        Only for a strict form the grammar is waited for. Else the answer begins meanwhile, so that tools cost
        no time until the first token; a call that begins before the grammar is there is held from then on.
        """
        compiled = self._compiled(lazy.form)
        if lazy.strict or compiled.done():
            matcher = await asyncio.shield(compiled)
            if isinstance(matcher, JanHostError):
                raise matcher
        begin = partial(self._begin, compiled, lazy.form.param, forces)
        return [
            LazyConstraint(lazy, compiled.done, begin, self._table.ends, self._table.spelled)
            for _ in range(choices)
        ]

    def _begin(
        self,
        compiled: "asyncio.Future[LLMatcher | JanHostError]",
        param: str,
        forces: bool,
        written: bytes,
    ) -> tuple[Constraint, list[int]] | None:
        """Hold a text of which some is written; on the thread that chooses tokens."""
        matcher = compiled.result()
        if isinstance(matcher, JanHostError):
            return None
        held = matcher.deep_copy()
        ids = self._compiler.tokens(written) if self._compiler is not None else []
        if held.try_consume_tokens(ids) < len(ids):
            return None
        forced = held.compute_ff_tokens() if forces else []
        if forced:
            held.consume_tokens(forced)
        if held.is_error():
            return None
        constraint = Constraint(
            held, self._table.ends, param=param, workers=self._masks, forces=forces, early=True
        )
        return constraint, forced

    async def close(self) -> None:
        """End the threads and the process; no constraint may be in use any more."""
        self._closed = True
        if self._compiler is not None:
            await asyncio.to_thread(self._compiler.close)
        for pool in (self._compiling, self._masks):
            await asyncio.to_thread(pool.shutdown)  # what waits there ends at once

    def _compiled(self, form: Form) -> "asyncio.Future[LLMatcher | JanHostError]":
        """The form compiled, or why not: once, however many ask."""
        if self._closed:
            raise UnavailableError("The model is being unloaded. Send the request again in a moment.")
        known = self._known.get(form)
        if known is None:
            if sum(not other.done() for other in self._known.values()) >= _MOST_WAITING:
                raise TooManyRequestsError(
                    "Too many grammars wait to be compiled. Come back in a few seconds.",
                    retry_after=_SECONDS,
                )
            loop = asyncio.get_running_loop()
            known = self._known[form] = loop.run_in_executor(self._compiling, self._compile, form)
        self._known.move_to_end(form)
        while len(self._known) > _KEPT and next(iter(self._known.values())).done():
            self._known.popitem(last=False)
        return known

    def _compile(self, form: Form) -> "LLMatcher | JanHostError":
        """On the compiling thread."""
        try:
            if self._compiler is None:
                self._compiler = _compiler(self._table)
            if self._closed:  # asked behind the line above, so that one side sees the other
                raise UnavailableError("The model was unloaded. Send the request again.")
            return self._compiler.compile(form, _SECONDS)
        except JanHostError as error:
            return error


def _compiler(table: TokenTable) -> "Compiler":
    try:
        from jan_host.kit.structure.compiling import Compiler
    except ImportError as error:
        raise UnsupportedError(
            f"Structured output needs llguidance, which can't be imported ({error}). Install it:"
            " pip install llguidance"
        ) from error
    return Compiler(table)

"""Compiles what a text must match for one vocabulary. Imports llguidance; `grammars` does so when asked."""

import json
import re
import time
from typing import Any, Final

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from jan_host.contract.errors import InvalidRequestError
from jan_host.kit.structure.constraint import summary
from jan_host.kit.structure.forms import Form
from jan_host.kit.structure.schemas import blamed_part
from jan_host.kit.structure.trying import Trial
from jan_host.kit.structure.vocabulary import TokenTable, read_vocabulary

_SEEKING_SECONDS: Final = 1.0
"""How long to look for the part of a schema that is to blame."""
_LIMITS: Final = {"step_lexer_fuel": 50_000, "step_max_items": 20_000, "max_lexer_states": 50_000}
"""A quarter of llguidance's own: about 10 ms for the tokens that may come next, and 100 MB."""
_STEPS: Final = 4
_NUMBERED: Final = re.compile(r"<\[\d+\]>")
"""A control token by its number, in Lark."""
_ANY_CONTROL: Final = "<[256]>"
"""The trial has a vocabulary of its own, in which this is one: there they are all alike."""
_NOTHING_MATCHES: Final = "NoExtension"
_ONE_LINE: Final = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
"""As Python's ``json.dumps`` writes: models saw much of it, and what holds the values together is forced."""
_SPACED: Final = {"whitespace_pattern": r"( |\n[ \t]{0,32})"}
"""Line breaks and indentation as the model likes, but no endless ones."""


class Compiler:
    """Used by one thread, but for `tokens` and `close`.

    Args:
        table: The model's vocabulary.
    """

    def __init__(self, table: TokenTable) -> None:
        self._table = table
        self._trial = Trial(table.special)
        self._tokenizer: LLTokenizer | None = None
        names = sorted((re.escape(text.encode()) for text in table.special if text), key=len, reverse=True)
        self._controls = re.compile(b"(" + b"|".join(names) + b")") if names else None

    def compile(self, form: Form, seconds: float) -> LLMatcher:
        """The state at the beginning of a text that matches `form`, to be copied for each text.

        Args:
            form: What the text must match.
            seconds: How long it may take.

        Raises:
            InvalidRequestError: The form is wrong, matches nothing or is too complex; says where and why.
        """
        source = _source(form, form.text)
        complaint = self._trial.problem(_NUMBERED.sub(_ANY_CONTROL, source), _LIMITS, seconds)
        if complaint is not None:
            raise _refusal(form, complaint, self._where(form, complaint))
        if self._tokenizer is None:
            self._tokenizer = read_vocabulary(self._table)
        limits = LLParserLimits(
            step_lexer_fuel=_LIMITS["step_lexer_fuel"],
            step_max_items=_LIMITS["step_max_items"],
            max_lexer_states=_LIMITS["max_lexer_states"],
            verbose_errors=False,
        )
        matcher = LLMatcher(self._tokenizer, source, log_level=0, limits=limits)
        matcher.compute_bitmask()  # so that each copy finds the work of its first token done
        complaint = matcher.get_error() or _begun(matcher.deep_copy(), self._table.size)
        if complaint:
            raise _refusal(form, complaint)
        return matcher

    def tokens(self, data: bytes) -> list[int]:
        """Some tokens with these bytes, once a grammar was compiled; callable from any thread."""
        if self._tokenizer is None:
            return []
        ids: list[int] = []
        for piece in self._controls.split(data) if self._controls is not None else (data,):
            token = self._table.special.get(piece.decode("utf-8", "replace"))
            ids += self._tokenizer.tokenize_bytes(piece) if token is None else [token]
        return ids

    def close(self) -> None:
        """End the process that tries grammars; what is compiled now is given up. Callable from any thread."""
        self._trial.close()

    def _where(self, form: Form, complaint: str) -> str:
        """Which part of a schema is to blame."""
        if form.kind != "json_schema":
            return ""
        until = time.monotonic() + _SEEKING_SECONDS

        def complaint_about(schema: str) -> str | None:
            left = until - time.monotonic()
            return self._trial.problem(_source(form, schema), _LIMITS, left) if left > 0 else None

        return blamed_part(json.loads(form.text), complaint, complaint_about)


def _begun(matcher: LLMatcher, size: int) -> str:
    """What goes wrong at the first tokens of a text; with a model's own, they reach further than bytes."""
    for step in range(_STEPS):
        bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
        allowed = np.flatnonzero(bits[:size])
        if matcher.is_stopped() or not len(allowed):
            break
        matcher.consume_token(int(allowed[step * 7919 % len(allowed)]))
        matcher.compute_ff_tokens()
    return matcher.get_error()


def _source(form: Form, text: str) -> str:
    """A form as llguidance's compiler takes it."""
    if form.kind == "regex":
        if (len(text) - len(text.rstrip("\\"))) % 2:  # it would be lost on the way
            raise _refusal(form, r"a \ at the end escapes nothing")
        return LLMatcher.grammar_from_regex(text)
    if form.kind == "lark":
        return LLMatcher.grammar_from_lark(text)
    options: Any = {
        **(_SPACED if form.spaced else _ONE_LINE),
        "lenient": not form.exact,
        "coerce_one_of": not form.exact,
    }
    return LLMatcher.grammar_from_json_schema(text, overrides=options)


def _refusal(form: Form, complaint: str, where: str = "") -> InvalidRequestError:
    """The error for a form that can't be had."""
    problem = summary(complaint)
    if problem.startswith(_NOTHING_MATCHES):
        problem = "no text matches it"
    place = f"{form.param} at {where}" if where else form.param
    return InvalidRequestError(f"{place} can't be used: {problem}.", param=form.param)

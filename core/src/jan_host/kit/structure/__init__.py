"""Structured output for engines that choose tokens themselves: a text is held to its form at every token.

``forms`` reads from a request what its text must match; ``grammars`` compiles that for a model's
vocabulary, tried first in a process of its own (``trial``); a ``Constraint`` says at each token which ones
may come next. The work is llguidance's, which the engine brings along.
"""

from jan_host.kit.structure.constraint import Constrains, Constraint
from jan_host.kit.structure.forms import Form, form_of
from jan_host.kit.structure.grammars import Grammars
from jan_host.kit.structure.lazy import LazyConstraint
from jan_host.kit.structure.triggers import Enclosed, LazyForm, Trigger
from jan_host.kit.structure.vocabulary import TokenTable

__all__ = [
    "Constrains",
    "Constraint",
    "Enclosed",
    "Form",
    "Grammars",
    "LazyConstraint",
    "LazyForm",
    "TokenTable",
    "Trigger",
    "form_of",
]

"""Texts as a model reads them, and how many of them it computes at once."""

from collections.abc import Sequence
from typing import NamedTuple


class Tokens(NamedTuple):
    """A text or pair as a model reads it."""

    ids: Sequence[int]
    type_ids: Sequence[int]
    """Which of two texts a token belongs to."""


class Limits(NamedTuple):
    """What one run and the queue may hold."""

    texts: int
    tokens: int
    """What fills texts up included. One text is always run."""
    queue: int
    """Texts that may wait."""
    fill: int | None = None
    """By how many tokens a text may be filled up to the longest of its run. What is filled in is computed
    like any other token, and pays only where it costs less than a run of its own.

    ``None``: texts of any length go together, since none is filled up."""

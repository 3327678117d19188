"""What a scenario is: work for a server, figures of it, and what they should be next to a peer's."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.bench.client import Answer, Client
from tests.bench.contenders import NATIVE, OURS, Setup

TOKENS_PER_SECOND = "tokens/s"
FIRST_TOKEN = "first token"
FIRST_TOKEN_P95 = "first token p95"
BETWEEN_TOKENS_P95 = "between tokens p95"


@dataclass(frozen=True, slots=True)
class Round:
    """What one server did in one round."""

    figures: dict[str, float]
    """By their names; seconds, where the name does not say otherwise."""
    failed: int = 0
    """Requests without a whole answer."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should be, as a multiple of a peer's."""

    figure: str
    sign: Literal[">=", "<="]
    factor: float
    peer: str = NATIVE

    def __str__(self) -> str:
        """As the table has it: ``>= 1.0``."""
        return f"{self.sign} {self.factor:g}"

    def is_met(self, ratio: float) -> bool:
        """Whether so many times the peer's figure is good enough."""
        return ratio >= self.factor if self.sign == ">=" else ratio <= self.factor

    def gain(self, ratio: float) -> float:
        """How many times as good as the peer that is, whichever way the figure counts."""
        return ratio if self.sign == ">=" else 1 / ratio if ratio else math.inf


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the comparison."""

    name: str
    """For the command line."""
    title: str
    setup: Setup
    play: Callable[[Client, int], Awaitable[Round]]
    """One round: takes the server's client and the round's number, which no prompt has had before."""
    aims: Sequence[Aim]
    also: Sequence[str] = field(default=())
    """Figures that are shown beside those that have an aim."""

    @property
    def contenders(self) -> list[str]:
        """The servers that take part, ours first."""
        return [OURS, *dict.fromkeys(aim.peer for aim in self.aims)]


def p95(values: Sequence[float]) -> float:
    """The 95th percentile: the smallest value that 95 % of them do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else math.nan


def failures(answers: Sequence[Answer]) -> int:
    """How many of them broke off."""
    return sum(answer.finish_reason is None for answer in answers)

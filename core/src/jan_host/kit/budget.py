"""What one rendering of a chat template may use. A template is a stranger's program.

Every loop step, call and filter of a template asks the budget that is current (see `sandbox`), so that
no template runs longer or grows larger than it may, on whichever thread it runs.
"""

import time
from collections.abc import Collection
from contextvars import ContextVar
from typing import Any

SECONDS = 2.0
"""How long one rendering may take."""
_CHARACTERS = 1 << 20
_WORK = 1 << 28
_NUMBER_BITS = 4096
_COUNT = 100_000
_LISTS: tuple[type[Collection[Any]], ...] = (
    list,
    tuple,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)


class TemplateLimitError(Exception):
    """A template used more than it may."""


class TemplateTimeError(TemplateLimitError):
    """A template took longer than it may."""


class Budget:
    """The limits of one rendering. Made on the thread that renders.

    Args:
        seconds: How long it may take, of this thread's own time.
    """

    __slots__ = ("_began", "characters", "deadline", "marker", "seconds", "work")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began = time.thread_time()
        self.deadline = time.monotonic() + seconds
        """When to look how much of its time the thread has had."""
        self.characters = _CHARACTERS
        """The longest text that may come up on the way."""
        self.work = _WORK
        """How many characters may still be made, over all texts."""
        self.marker = ""
        """The character that stands inside typed control tokens (see `segments`)."""

    def allow(self, characters: int) -> None:
        """Texts may grow with the conversation, which has so many characters."""
        self.characters = _CHARACTERS + 8 * characters
        self.work = _WORK + 256 * characters

    def tick(self) -> None:
        """One step of work."""
        if time.monotonic() > self.deadline:
            self._check_time()

    def _check_time(self) -> None:
        """On a busy machine seconds may pass in which the template did nothing, so only its own ones count.

        They are not looked at in each step, since that costs ten times as much as to look at the clock.
        """
        left = self.seconds - (time.thread_time() - self._began)
        if left <= 0:
            raise TemplateTimeError(f"it took longer than {self.seconds:g} s")
        self.deadline = time.monotonic() + left

    def grow(self, size: int) -> None:
        """A text or a list of `size` characters or items is about to be made."""
        self.tick()
        self.work -= size
        if size > self.characters or self.work < 0:
            raise TemplateLimitError(f"it makes texts of more than {self.characters} characters")

    def flat(self, value: Any) -> int:
        """The size of `value` written out: a nested list that holds another twice counts it twice."""
        if isinstance(value, str):
            return len(value)
        self.tick()
        total = 0
        pending = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, str):
                total += len(item) + 2
            elif isinstance(item, dict):
                total += 4 * len(item) + 2
                pending.extend(item.keys())
                pending.extend(item.values())
            elif isinstance(item, _LISTS):
                total += 2 * len(item) + 2
                pending.extend(item)
            else:
                total += 8
                if type(item).__name__ == "Namespace":  # Jinja's, which writes out what it holds
                    pending.append(item._Namespace__attrs)
            if total > self.characters:
                raise TemplateLimitError(f"it makes values of more than {self.characters} characters")
        return total

    @staticmethod
    def count(value: Any) -> None:
        """`value` says how often something is repeated, or how wide it is."""
        if isinstance(value, int | float) and abs(value) > _COUNT:
            raise TemplateLimitError(f"it asks for a width or count above {_COUNT}")

    @staticmethod
    def bits(size: float) -> None:
        """A whole number of `size` bits is about to be made."""
        if size > _NUMBER_BITS:
            raise TemplateLimitError(f"it makes numbers of more than {_NUMBER_BITS} bits")


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget:
    """The budget of the rendering that runs here; outside of one, a new one."""
    return _current.get() or Budget(SECONDS)


def spend(budget: Budget | None) -> None:
    """Make `budget` the current one, or none."""
    _current.set(budget)

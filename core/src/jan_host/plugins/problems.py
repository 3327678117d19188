"""What is wrong with a plugin, in one line, and containment of whatever its code raises."""

import difflib
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import TracebackType

from jan_host.contract.errors import PluginError

LONGEST_TEXT = 300
"""Characters that are kept of words that are not ours."""
LONGEST_PROBLEM = 600
"""Characters that are kept of a problem, in which such words may stand."""

PASSED_THROUGH = ("importlib.", "contextlib.", "pluggy.", "jan_host.plugins.")
"""Modules that every failure's traceback leads through, and that are not at fault."""

logger = logging.getLogger("jan_host.plugins")


class BrokenPluginError(PluginError):
    """A plugin can't be used.

    Args:
        problem: What is wrong, without a full stop, made into one line; "it" is the plugin.
        cure: What to do about it, in whole sentences.
    """

    def __init__(self, problem: str, cure: str) -> None:
        self.problem = one_line(problem)
        self.cure = cure
        super().__init__(f"{self.problem}. {cure}")


@contextmanager
def contained(what: str, cure: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises into a `BrokenPluginError`: "`what`: ValueError: ...".

    ``SystemExit`` and its like are contained too; ``KeyboardInterrupt`` is the user's and passes.
    The traceback goes to the log at level DEBUG, for the plugin's author.
    """
    try:
        yield
    except (KeyboardInterrupt, BrokenPluginError):
        raise
    except BaseException as error:
        logger.debug("The traceback of a plugin's failure", exc_info=error)
        raise BrokenPluginError(f"{what}: {describe(error)}", cure) from error


def describe(error: BaseException) -> str:
    """Class, message and place of a foreign error, in one line."""
    try:
        text = one_line(str(error), LONGEST_TEXT)
    except Exception:  # a plugin's own error class may fail to print itself
        text = ""
    words = f"{type(error).__name__}: {text}" if text else type(error).__name__
    place = _place(error.__traceback__)
    return f"{words} ({place})" if place else words


def one_line(text: str, longest: int = LONGEST_PROBLEM) -> str:
    """The text without line breaks, cut to `longest` characters."""
    words = " ".join(text.split())
    return words if len(words) <= longest else f"{words[:longest]} [...]"


def _place(traceback: TracebackType | None) -> str:
    """Module and line of the innermost frame that is neither the import system's nor ours."""
    place = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", "?"))
        if not f"{module}.".startswith(PASSED_THROUGH):
            place = f"{module}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def nearest(word: str, known: Collection[str]) -> str:
    """A sentence that names the word of `known` which is most like `word`, or nothing."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" The nearest is {found[0]!r}." if found else ""

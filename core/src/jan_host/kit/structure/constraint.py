"""What one choice of a request may say next, token by token."""

from collections.abc import Collection
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import numpy.typing as npt

from jan_host.contract.errors import InvalidRequestError

if TYPE_CHECKING:
    from llguidance import LLMatcher

Ids = npt.NDArray[np.intp]


class Constrains(Protocol):
    """Says which tokens may come next; used by one thread."""

    @property
    def complete(self) -> bool:
        """Whether the text is whole, and nothing may follow."""
        ...

    def allowed(self) -> Ids | None:
        """The tokens that may come next, in ascending order: at least one. ``None``: all of them.

        A token that ends the generation is among them where the text may end here; where it must, there is
        no other.

        Raises:
            InvalidRequestError: What may follow is too complex to be worked out.
        """
        ...

    def accept(self, token: int) -> list[int]:
        """Go on behind a token that was chosen.

        Args:
            token: One of `allowed`.

        Returns:
            The tokens that follow for certain, already accepted; none unless they were asked for.

        Raises:
            InvalidRequestError: As `allowed`.
        """
        ...


class Constraint:
    """A text that is held to a form from its first token; a `Constrains`.

    The tokens that may follow are computed on another thread from the moment that a token is accepted, while
    the model computes its scores behind that token.

    Args:
        matcher: llguidance's state at the beginning of the text; belongs to this object from now on.
        ends: The tokens that end a generation.
        param: The field of the request that it came from, for errors.
        workers: Where the next tokens are worked out.
        forces: Whether `accept` may give tokens that can come alone, for the model to compute in one go.
        early: Whether the text is whole as soon as it may end; else when nothing can follow.
    """

    def __init__(
        self,
        matcher: "LLMatcher",
        ends: Collection[int],
        *,
        param: str,
        workers: Executor,
        forces: bool,
        early: bool = False,
    ) -> None:
        self._matcher = matcher
        self._ends = ends
        self._param = param
        self._workers = workers
        self._forces = forces
        self._is_whole = matcher.is_accepting if early else matcher.is_stopped
        self.complete = False
        """Whether the text is whole, and nothing may follow."""
        self._next: Future[Ids] = workers.submit(self._compute)

    def allowed(self) -> Ids:
        """See `Constrains`."""
        return self._next.result()

    def accept(self, token: int) -> list[int]:
        """See `Constrains`."""
        if token in self._ends:
            self.complete = True
            return []
        self._matcher.consume_token(token)
        forced = self._matcher.compute_ff_tokens() if self._forces else []
        if forced:
            self._matcher.consume_tokens(forced)
        self._check()
        self.complete = self._is_whole()
        if not self.complete:
            self._next = self._workers.submit(self._compute)
        return forced

    def _compute(self) -> Ids:
        bits = self._matcher.compute_bitmask()
        self._check()
        allowed = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little"))
        if len(allowed) <= len(self._ends) and all(token in self._ends for token in allowed.tolist()):
            return allowed[:1]
        return allowed

    def _check(self) -> None:
        if self._matcher.is_error():
            raise InvalidRequestError(
                f"{self._param} became too complex on the way: {summary(self._matcher.get_error())}."
                " Make it simpler.",
                param=self._param,
            )


_LONGEST: Final = 200


def summary(complaint: str) -> str:
    """What the compiler complains about, in one line."""
    _, mark, cause = complaint.rpartition("error: ")
    text = cause.partition("\n")[0] if mark else complaint.partition("\n")[0]
    return text[:_LONGEST].strip(" .")

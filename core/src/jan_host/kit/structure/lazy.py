"""A constraint that is silent until a trigger was written, and again behind what the trigger began."""

from collections.abc import Callable, Collection
from typing import ClassVar

from jan_host.contract.errors import JanHostError
from jan_host.kit.structure.constraint import Constraint, Ids
from jan_host.kit.structure.triggers import LazyForm, Watch

Begin = Callable[[bytes], tuple[Constraint, list[int]] | None]
"""Begins to hold a text of which some is written; gives the tokens that follow for certain too. ``None``: it
does not match."""


class LazyConstraint:
    """Free text, in which parts behind triggers are held to a form; a `Constrains`, used by one thread.

    While nothing is held it looks at the bytes of the tokens, and no mask is computed. A token may end a
    trigger and have the first characters behind it; where these do not match, the text stays free, since
    what the model writes there is no call.

    Args:
        lazy: When to hold to what.
        is_ready: Whether it can begin; until then a text that it should hold is kept.
        begin: Begins it.
        ends: The tokens that end a generation.
        spelled: The bytes of a token, control tokens written out.
    """

    complete: ClassVar = False

    def __init__(
        self,
        lazy: LazyForm,
        is_ready: Callable[[], bool],
        begin: Begin,
        ends: Collection[int],
        spelled: Callable[[int], bytes],
    ) -> None:
        self._watch = Watch(lazy)
        self._is_ready = is_ready
        self._begin = begin
        self._ends = ends
        self._spelled = spelled
        self._held: Constraint | None = None
        self._kept: bytes | None = None

    def allowed(self) -> Ids | None:
        """See `Constrains`."""
        if self._held is None:
            return None
        try:
            return self._held.allowed()
        except JanHostError:  # too complex on the way: a model that is free beats an answer that fails
            self._held = None
            return None

    def accept(self, token: int) -> list[int]:
        """See `Constrains`."""
        if token in self._ends:
            return []
        if self._held is None:
            return self._look(self._spelled(token))
        try:
            forced = self._held.accept(token)
        except JanHostError:
            self._held = None
            return []
        self._let_go(forced[-1] if forced else token)
        return forced

    def _look(self, data: bytes) -> list[int]:
        written = self._watch.push(data) if self._kept is None else self._kept + data
        if written is None:
            return []
        if not self._is_ready():
            self._kept = written
            return []
        self._kept = None
        begun = self._begin(written)
        if begun is None:
            self._watch.give_up()
            return []
        self._held, forced = begun
        if forced:
            self._let_go(forced[-1])
        return forced

    def _let_go(self, last: int) -> None:
        """Be silent again where the part is whole."""
        if self._held is not None and self._held.complete:
            self._held = None
            self._watch.resume(self._spelled(last))

"""A model in memory, as the admission of others sees it."""

from enum import IntEnum
from typing import Protocol

from jan_host.contract.engine import Footprint


class Standing(IntEnum):
    """What a model in memory does; the order in which they would leave for another."""

    IDLE = 0
    YIELDING = 1
    """Its requests end, so that it can leave for another; that can still be called off."""
    BUSY = 2
    COMING = 3
    """It is being started, or was, and those who waited for it do not have it yet."""
    GOING = 4
    """It leaves in any case."""


class Resident(Protocol):
    """A model that is in memory, or on its way in or out."""

    @property
    def model_id(self) -> str:
        """Its id."""
        ...

    @property
    def footprint(self) -> Footprint | None:
        """What it holds, or was promised; ``None`` when it holds nothing."""
        ...

    @property
    def standing(self) -> Standing:
        """What it does."""
        ...

    @property
    def is_pinned(self) -> bool:
        """Whether it stays, whoever else needs the memory."""
        ...

    @property
    def requests(self) -> int:
        """How many requests use it."""
        ...

    @property
    def used_at(self) -> float:
        """When it was last used, by the clock of the event loop."""
        ...

    def leave(self, newcomer: str) -> None:
        """Leave for another model: at once when idle; when busy, take no new requests, and leave when the
        running ones have ended. One that is only coming does not care, and is asked again."""
        ...

    def stay(self) -> None:
        """It need not leave any more."""
        ...

"""The cores of this machine, shared out among the models that work at the same time.

Two models that each compute on all cores slow each other down far more than twofold, since the threads
of each wait for one another. So each gets a part as long as others work too.
"""

import asyncio
from collections.abc import Callable

_JOIN_SECONDS = 0.05
"""How long a model works before it counts: a few embeddings now and then change nothing for others."""
_LEAVE_SECONDS = 0.5
"""How long it is idle before it counts no more: a pause between two requests changes nothing either."""

Tell = Callable[[int | None], None]
"""Takes a number of cores, at least 1; ``None``: no other model works, so take as many as you like."""


class Cores:
    """Decides which model computes on how many cores. Used on one event loop.

    Those that work have equal parts; what does not divide evenly is of those that began first. One
    that is idle is told what it would have if it worked too, so that it begins as a good neighbour.

    Args:
        total: The cores that there are for models.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._claims: dict[Claim, None] = {}
        self._working: dict[Claim, None] = {}
        """In the order in which they began."""

    def claim(self, tell: Tell) -> "Claim":
        """A part for one more model.

        Args:
            tell: Told the model's part whenever it changes, for the first time perhaps at once. Before
                that it is all of them.
        """
        claim = Claim(self, tell)
        self._claims[claim] = None
        self.share_out()
        return claim

    def join(self, claim: "Claim") -> None:
        """The model counts from now on among those that work."""
        self._working[claim] = None
        self.share_out()

    def leave(self, claim: "Claim") -> None:
        """It counts no more."""
        self._working.pop(claim, None)
        self.share_out()

    def give_back(self, claim: "Claim") -> None:
        """The model is gone."""
        self._claims.pop(claim, None)
        self.leave(claim)

    def share_out(self) -> None:
        """Tell each model its part, if it is another than before."""
        places = {claim: place for place, claim in enumerate(self._working)}
        for claim in self._claims:
            claim.tell(self._part(places.get(claim)))

    def _part(self, place: int | None) -> int | None:
        """Of the model at that place among the working ones; ``None``: of one that would come behind them."""
        workers = len(self._working) + (place is None)
        if workers <= 1:
            return None
        each, left = divmod(self._total, workers)
        return max(1, each + (place is not None and place < left))


class Claim:
    """One model's part. `work` and `rest` may follow each other as quickly as requests do.

    Args:
        cores: Who shares out.
        tell: Told the part.
    """

    def __init__(self, cores: Cores, tell: Tell) -> None:
        self._cores = cores
        self._tell = tell
        self._told: int | None = None
        self._works = False
        self._counts = False
        self._timer: asyncio.TimerHandle | None = None

    def work(self) -> None:
        """The model has requests from now on."""
        self._works = True
        if self._counts:
            self._forget_timer()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_JOIN_SECONDS, self._look)

    def rest(self) -> None:
        """It has none any more."""
        self._works = False
        # One that does not count yet is looked at in its time: it may work again by then.
        if self._counts:
            self._timer = asyncio.get_running_loop().call_later(_LEAVE_SECONDS, self._look)

    def close(self) -> None:
        """The model is gone; its part is free at once."""
        self._forget_timer()
        self._cores.give_back(self)

    def tell(self, count: int | None) -> None:
        """Pass the part on, if it is another than before."""
        if count != self._told:
            self._told = count
            self._tell(count)

    def _look(self) -> None:
        self._timer = None
        if self._works != self._counts:
            self._counts = self._works
            (self._cores.join if self._works else self._cores.leave)(self)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

"""Who may come into memory: models are let in in their order, and idle ones make room for them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from jan_host.contract.engine import Footprint
from jan_host.contract.errors import InsufficientMemoryError, JanHostError, UnavailableError
from jan_host.runtime.resident import Resident, Standing
from jan_host.runtime.room import held_by, in_words, lacking, together, who_leaves

RETRY_SECONDS = 10.0


class Admission:
    """Keeps what the models in memory need, all together, within a budget. Used on one event loop.

    Starts are let in in the order in which they came. When the first does not fit, models leave for
    it: the least recently used idle one before all others; when all are busy, the least recently
    used of them takes no new requests and leaves when it has ended those that it has. If another is
    idle sooner, that one leaves in its place. A pinned model never leaves.

    While the first waits, later starts that fit may pass, if it will find its room all the same.

    Args:
        budget: The bytes that all models may take together; 0 stands for no limit.
        residents: Who is there. They tell of what they do by calling `changed`.
        patience_seconds: How long a start waits for its room.
    """

    def __init__(
        self,
        budget: Callable[[], Footprint],
        residents: Callable[[], Iterable[Resident]],
        patience_seconds: float,
    ) -> None:
        self._budget = budget
        self._residents = residents
        self._patience_seconds = patience_seconds
        self._queue: list[_Ticket] = []
        self._review_is_due = False

    async def admit(
        self,
        newcomer: Resident,
        estimate: Callable[[], Awaitable[Footprint]],
        admitted: Callable[[Footprint], None],
    ) -> None:
        """Wait until there is room, and call `admitted` in the same moment.

        Args:
            newcomer: Who wants in.
            estimate: What it needs.
            admitted: Told what it is promised.

        Raises:
            InsufficientMemoryError: Even alone with the pinned models it would not fit; has the figures.
            UnavailableError: The models that hold the memory were busy all the time; has the figures.
            JanHostError: What `estimate` raised.
        """
        ticket = _Ticket(newcomer, admitted)
        self._queue.append(ticket)
        try:
            ticket.need = await estimate()
            self._review()
            async with asyncio.timeout(self._patience_seconds):
                await ticket.turn
        except TimeoutError:
            raise self._too_long(newcomer, ticket.need) from None
        finally:
            if ticket in self._queue:
                self._queue.remove(ticket)
            self._review_soon()

    def changed(self) -> None:
        """A model came, left, was used, or is idle: perhaps there is room now."""
        if self._queue:
            self._review_soon()

    def _review_soon(self) -> None:
        if not self._review_is_due:
            self._review_is_due = True
            asyncio.get_running_loop().call_soon(self._review)

    def _review(self) -> None:
        """Let in who fits, and have models leave for the first who does not."""
        self._review_is_due = False
        waiting = Footprint()
        leaving: list[Resident] | None = None
        for ticket in tuple(self._queue):
            if ticket.need is None:
                break  # nobody passes while it is not known whether that is fair
            if self._fits(ticket, leaving, waiting):
                self._queue.remove(ticket)
                ticket.let_in(ticket.need)
            elif error := self._impossible(ticket.newcomer, ticket.need):
                self._queue.remove(ticket)
                ticket.refuse(error)
            else:
                if leaving is None:
                    leaving = who_leaves(ticket.need, self._others(ticket.newcomer), self._budget())
                    for each in leaving:
                        each.leave(ticket.newcomer.model_id)
                waiting = together([waiting, ticket.need])
        for each in self._residents():
            if each.standing is Standing.YIELDING and each not in (leaving or ()):
                each.stay()

    def _fits(self, ticket: "_Ticket", leaving: list[Resident] | None, waiting: Footprint) -> bool:
        """Whether there is room now; and also later, for those who wait before it."""
        assert ticket.need is not None  # it is known when this is asked
        others, budget = self._others(ticket.newcomer), self._budget()
        if lacking(ticket.need, held_by(others), budget):
            return False
        if leaving is None:
            return True
        later = [each for each in others if each not in leaving and each.standing is not Standing.GOING]
        return not lacking(ticket.need, together([held_by(later), waiting]), budget)

    def _others(self, newcomer: Resident) -> list[Resident]:
        return [each for each in self._residents() if each is not newcomer and each.footprint is not None]

    def _impossible(self, newcomer: Resident, need: Footprint) -> InsufficientMemoryError | None:
        pinned = [each for each in self._others(newcomer) if each.is_pinned]
        budget, held = self._budget(), held_by(pinned)
        if not lacking(need, held, budget):
            return None
        names = ", ".join(each.model_id for each in pinned)
        taken = f", of which the pinned {names} holds {in_words(held)}" if pinned else ""
        return InsufficientMemoryError(
            f"{newcomer.model_id} needs {in_words(need)}; models may take {in_words(budget)} here{taken}."
            " Take a smaller one or a smaller ctx_len, or raise [runtime] memory_bytes or"
            " device_memory_bytes.",
            param="model",
        )

    def _too_long(self, newcomer: Resident, need: Footprint | None) -> UnavailableError:
        holders = ", ".join(
            f"{each.model_id} ({in_words(each.footprint or Footprint())}, {_requests(each)})"
            for each in self._others(newcomer)
        )
        return UnavailableError(
            f"{newcomer.model_id} needs {in_words(need or Footprint())} of the {in_words(self._budget())}"
            f" that models may take here, and found no room within {self._patience_seconds:g} s. In memory"
            f" are: {holders or 'none'}. Try again later, or stop one of them.",
            retry_after=RETRY_SECONDS,
        )


class _Ticket:
    """A place in the queue."""

    def __init__(self, newcomer: Resident, admitted: Callable[[Footprint], None]) -> None:
        self.newcomer = newcomer
        self.need: Footprint | None = None
        """``None``: not known yet."""
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._admitted = admitted

    def let_in(self, need: Footprint) -> None:
        if not self.turn.done():  # else who waited was cancelled in this moment
            self._admitted(need)
            self.turn.set_result(None)

    def refuse(self, error: JanHostError) -> None:
        if not self.turn.done():
            self.turn.set_exception(error)


def _requests(resident: Resident) -> str:
    if resident.is_pinned:
        return "pinned"
    return "1 request" if resident.requests == 1 else f"{resident.requests} requests"

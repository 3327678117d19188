"""Who may come into memory: models are let in one after the other, and idle ones make room for them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from jan_host.contract.engine import Footprint
from jan_host.contract.errors import InsufficientMemoryError
from jan_host.contract.quantities import bytes_in_words

KINDS = ("ram", "device")
"""The kinds of memory in a `Footprint`."""


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
    def is_busy(self) -> bool:
        """Whether a request uses it or waits for it."""
        ...

    @property
    def is_pinned(self) -> bool:
        """Whether it stays, whoever else needs the memory."""
        ...

    @property
    def used_at(self) -> float:
        """When a request last used it, by the clock of the event loop."""
        ...

    async def settled(self) -> bool:
        """Wait until it is on its way neither in nor out; whether there was anything to wait for."""
        ...

    async def make_room(self) -> None:
        """Leave memory once its running requests have ended; new ones wait and bring it back later."""
        ...


class Admission:
    """Keeps what the models in memory need, all together, within a budget.

    Starts are let in in the order in which they came. When one does not fit, models leave for it:
    the least recently used idle one first; when all are busy, the least recently used of them is
    let finish what it does and takes no new requests before the start has had its turn. A pinned
    model never leaves.

    Args:
        budget: The bytes that all models may take together; 0 stands for no limit.
        residents: Who is there.
    """

    def __init__(self, budget: Callable[[], Footprint], residents: Callable[[], Iterable[Resident]]) -> None:
        self._budget = budget
        self._residents = residents
        self._turn = asyncio.Lock()

    async def admit(
        self,
        newcomer: Resident,
        estimate: Callable[[], Awaitable[Footprint]],
        admitted: Callable[[Footprint], None],
    ) -> None:
        """Wait until there is room, and call `admitted` in the same moment.

        Args:
            newcomer: Who wants in.
            estimate: What it needs; asked when its turn has come.
            admitted: Told what it is promised.

        Raises:
            InsufficientMemoryError: Even alone with the pinned models it would not fit; has the figures.
            JanHostError: What `estimate` raised.
        """
        async with self._turn:
            need = await estimate()
            while self._lacking(need, others := self._others(newcomer)):
                self._check_possible(newcomer, need)
                await self._make_room(need, others)
            admitted(need)

    def _others(self, newcomer: Resident) -> list[Resident]:
        return [each for each in self._residents() if each is not newcomer and each.footprint is not None]

    def _lacking(self, need: Footprint, others: Sequence[Resident]) -> list[str]:
        """Of which kinds of memory there is too little."""
        budget, held = self._budget(), _sum(each.footprint for each in others)
        return [
            kind
            for kind in KINDS
            if (wanted := getattr(need, kind))
            and (limit := getattr(budget, kind))
            and wanted + getattr(held, kind) > limit
        ]

    def _check_possible(self, newcomer: Resident, need: Footprint) -> None:
        pinned = [each for each in self._others(newcomer) if each.is_pinned]
        if not self._lacking(need, pinned):
            return
        budget, held = self._budget(), _sum(each.footprint for each in pinned)
        names = ", ".join(each.model_id for each in pinned)
        taken = f", of which the pinned {names} holds {_amount(held)}" if pinned else ""
        raise InsufficientMemoryError(
            f"{newcomer.model_id} needs {_amount(need)}; models may take {_amount(budget)} here{taken}."
            " Take a smaller one or a smaller ctx_len, or raise [runtime] memory_bytes or"
            " device_memory_bytes.",
            param="model",
        )

    async def _make_room(self, need: Footprint, others: Sequence[Resident]) -> None:
        lacking = self._lacking(need, others)
        leaving = [
            each
            for each in others
            if not each.is_pinned and any(getattr(each.footprint, kind) for kind in lacking)
        ]
        for each in leaving:
            if await each.settled():
                return  # it may have left, or have been loaded and be idle now
        await min(leaving, key=lambda each: (each.is_busy, each.used_at)).make_room()


def _sum(footprints: Iterable[Footprint | None]) -> Footprint:
    known = [each for each in footprints if each is not None]
    return Footprint(ram=sum(each.ram for each in known), device=sum(each.device for each in known))


def _amount(footprint: Footprint) -> str:
    parts = [bytes_in_words(footprint.ram) + " of memory"]
    if footprint.device:
        parts.append(bytes_in_words(footprint.device) + " of device memory")
    return " and ".join(parts)

"""Arithmetic of memory: what fits, what is lacking, and who would have to leave."""

from collections.abc import Iterable, Sequence

from jan_host.contract.engine import Footprint
from jan_host.contract.quantities import bytes_in_words
from jan_host.runtime.resident import Resident, Standing

KINDS = ("ram", "device")
"""The kinds of memory in a `Footprint`."""


def together(footprints: Iterable[Footprint | None]) -> Footprint:
    """The sum; ``None`` holds nothing."""
    known = [each for each in footprints if each is not None]
    return Footprint(ram=sum(each.ram for each in known), device=sum(each.device for each in known))


def held_by(residents: Iterable[Resident]) -> Footprint:
    """What they hold all together."""
    return together(each.footprint for each in residents)


def lacking(need: Footprint, held: Footprint, budget: Footprint) -> list[str]:
    """Of which kinds of memory there is too little for `need` beside `held`; a budget of 0 has no limit."""
    return [
        kind
        for kind in KINDS
        if (wanted := getattr(need, kind))
        and (limit := getattr(budget, kind))
        and wanted + getattr(held, kind) > limit
    ]


def who_leaves(need: Footprint, residents: Sequence[Resident], budget: Footprint) -> list[Resident]:
    """The models that leave, so that `need` fits: idle ones first, then the least recently used.

    Nobody leaves in vain: who would not have to, because others must go anyway, stays. Pinned ones
    do not leave, and those that go already are counted as gone.
    """
    staying = [each for each in residents if each.standing is not Standing.GOING]
    leaving: list[Resident] = []
    for each in sorted(staying, key=lambda each: (each.standing, each.used_at)):
        kinds = lacking(need, held_by(staying), budget)
        if not kinds:
            break
        if not each.is_pinned and any(getattr(each.footprint, kind) for kind in kinds):
            staying.remove(each)
            leaving.append(each)
    for each in reversed(leaving.copy()):
        if not lacking(need, held_by([*staying, each]), budget):
            leaving.remove(each)
            staying.append(each)
    return leaving


def in_words(footprint: Footprint) -> str:
    """For users: ``2.0 GB of memory and 500 MB of device memory``."""
    parts = [bytes_in_words(footprint.ram) + " of memory"]
    if footprint.device:
        parts.append(bytes_in_words(footprint.device) + " of device memory")
    return " and ".join(parts)

"""Which sequences are computed in one run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jan_host_onnx.generation.stepper import Seat


class Grouping:
    """Puts sequences together as long as that costs less than it saves.

    A run reads the weights once, whoever is in it. Shorter sequences are filled up to the longest, and
    their filling is read as well: when it is more than the weights are, two runs are quicker.

    Args:
        batches: Whether the graph takes several sequences at all.
        filling: How many tokens of filling cost as much as a run of its own.
    """

    def __init__(self, *, batches: bool, filling: int) -> None:
        self._batches = batches
        self._filling = filling

    def groups(self, seats: "list[Seat]") -> "list[list[Seat]]":
        """The groups; in each, sequences that are together already stand in the order of their rows."""
        if not self._batches:
            return [[seat] for seat in seats]
        groups: list[list[Seat]] = []
        filling = 0
        for seat in sorted(seats, key=lambda seat: -seat.sequence.past):
            gap = groups[-1][0].sequence.past - seat.sequence.past if groups else 0
            if not groups or filling + gap > self._filling:
                groups.append([])
                filling = gap = 0
            filling += gap
            groups[-1].append(seat)
        return [sorted(group, key=lambda seat: (id(seat.cache), seat.row)) for group in groups]

"""Which bytes of a file are here, and which connection fetches which of the rest."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[int, int]
"""Offsets: of the first byte, and of the one behind the last."""

ENDLESS = 1 << 62
"""The end of a file whose size nobody knows."""


@dataclass(slots=True, eq=False)
class Segment:
    """A stretch that one connection fetches, from `position` on. Another may take its end away."""

    start: int
    position: int
    end: int


class Ledger:
    """The spans of a file that are on disk, and the segments that are on their way.

    Connections write in threads, so every method takes a lock; each of them is short.

    Args:
        size: Of the whole file in bytes, when it is known.
        spans: What is on disk already.
        least: No segment of fewer bytes is split.
    """

    def __init__(self, size: int | None = None, spans: Iterable[Span] = (), *, least: int = 8 << 20) -> None:
        self.size = size
        self.fetched = 0
        """Bytes that came since this object was made, those that were thrown away included."""
        self._least = least
        self._done = _merged(spans)
        self._active: list[Segment] = []
        self._lock = threading.Lock()

    @property
    def received(self) -> int:
        """Bytes that are on disk."""
        return sum(end - start for start, end in self.spans())

    @property
    def front(self) -> int:
        """How many bytes are on disk from the beginning on without a gap."""
        spans = self.spans()
        return spans[0][1] if spans and spans[0][0] == 0 else 0

    @property
    def complete(self) -> bool:
        """Whether every byte is on disk."""
        return self.size is not None and (self.size == 0 or self.spans() == [(0, self.size)])

    def spans(self) -> list[Span]:
        """What is on disk: sorted, and with gaps between."""
        with self._lock:
            return self._spans()

    def claim(self, want: int) -> Segment | None:
        """The next segment to fetch, the front-most first; ``None`` when all is done or on its way.

        A connection that is alone gets all up to the next byte that is here. Those beside it get
        `want` bytes of what is free; where nothing is free, the longest segment is cut for them.
        """
        with self._lock:
            span = self._free(want) or self._split(want)
            if span is None:
                return None
            segment = Segment(span[0], span[0], span[1])
            self._active.append(segment)
            return segment

    def splits(self) -> bool:
        """Whether there is enough left to be worth another connection."""
        with self._lock:
            return bool(self._holes()) or self._longest() >= 2 * self._least

    def room(self, segment: Segment) -> int:
        """How many bytes the segment still wants."""
        with self._lock:
            return segment.end - segment.position

    def advance(self, segment: Segment, count: int) -> None:
        """So many bytes of the segment were written."""
        with self._lock:
            segment.position += count
            self.fetched += count

    def release(self, segment: Segment) -> None:
        """Nobody fetches this segment any more; what it lacks is free again."""
        with self._lock:
            self._active.remove(segment)
            self._done = _merged([*self._done, (segment.start, segment.position)])

    def end_at(self, size: int) -> None:
        """The file turned out to have so many bytes."""
        with self._lock:
            self.size = size
            for segment in self._active:
                segment.end = min(segment.end, size)

    def forget(self, size: int | None) -> None:
        """Nothing is here, and the size is this. Only for a ledger without active segments."""
        with self._lock:
            self._done = []
            self.size = size

    def _spans(self) -> list[Span]:
        return _merged([*self._done, *((each.start, each.position) for each in self._active)])

    def _holes(self) -> list[Span]:
        """What is neither here nor on its way."""
        taken = _merged([*self._done, *((each.start, each.end) for each in self._active)])
        size = ENDLESS if self.size is None else self.size
        edges = [0, *(edge for span in taken for edge in span), size]
        return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]

    def _free(self, want: int) -> Span | None:
        holes = self._holes()
        if not holes:
            return None
        start, end = holes[0]
        return (start, min(end, start + want) if self._active else end)

    def _longest(self) -> int:
        return max((each.end - each.position for each in self._active), default=0)

    def _split(self, want: int) -> Span | None:
        room = self._longest()
        if self.size is None or room < 2 * self._least:
            return None
        longest = next(each for each in self._active if each.end - each.position == room)
        end, longest.end = longest.end, longest.position + min(want, room // 2)
        return (longest.end, min(end, longest.end + want))


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted spans without overlaps, empty ones and neighbours."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged

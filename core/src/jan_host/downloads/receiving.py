"""A body becomes bytes in a file. What is here blocks, and runs in a thread."""

import contextlib

from jan_host.downloads.answers import wrong_size
from jan_host.downloads.connection import Answer
from jan_host.downloads.ledger import Segment
from jan_host.downloads.partial import PartialFile
from jan_host.downloads.retries import TransientError
from jan_host.downloads.throttle import Throttle

BLOCK_BYTES = 1 << 20


def receive(answer: Answer, segment: Segment, partial: PartialFile, throttle: Throttle) -> None:
    """Write a body as it comes, until it ends or the segment does; that may become shorter meanwhile.

    Raises:
        TransientError: The body ended too early.
        WrongSizeError: It goes on where the file should end.
        OSError: The disk failed.
    """
    ledger = partial.ledger
    buffer = memoryview(bytearray(BLOCK_BYTES))
    with partial.writer(segment.position) as file:
        while room := ledger.room(segment):
            count = answer.read_into(buffer[: min(throttle.block(BLOCK_BYTES), room)])
            if not count:
                return _ended(answer, segment, partial)
            partial.append(file, segment, buffer[:count])
            if pause := throttle.wait(count):
                answer.connection.stopped.wait(pause)
    if answer.length is None and segment.position == ledger.size:
        with contextlib.suppress(TransientError):  # all is here; how the connection ends is no matter
            if answer.read_into(buffer[:1]):
                raise wrong_size(partial.parcel, "more")
    return None


def _ended(answer: Answer, segment: Segment, partial: PartialFile) -> None:
    """The body ended before the segment did: that is how a file of unknown size ends."""
    size = partial.ledger.size
    if size is None and not answer.connection.stopped.is_set():
        partial.ledger.end_at(segment.position)
    elif answer.length is None or segment.position == segment.start:
        raise TransientError(f"the connection ended after {segment.position} of {size} bytes")

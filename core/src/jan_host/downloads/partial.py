"""A file that is on its way: its bytes, what of them is surely on disk, and its hash."""

import contextlib
import os
import threading
from pathlib import Path
from typing import IO

import msgspec

from jan_host.contract.errors import ChecksumMismatchError
from jan_host.downloads.digest import STEP_BYTES, FrontDigest, hash_of
from jan_host.downloads.ledger import Ledger, Segment, Span
from jan_host.downloads.parcels import Parcel
from jan_host.downloads.saving import save
from jan_host.downloads.writeback import Writeback


class _State(msgspec.Struct, kw_only=True):
    """What ``N.part.json`` says of ``N.part``."""

    size: int | None = None
    mark: str | None = None
    spans: list[Span] = []


class PartialFile:
    """A file that grows in several places.

    Beside it lies ``path + ".json"``, which names the spans that are complete. It is written
    after they were flushed to the disk, so that what it names is there, whatever happened
    since. `restart`, `save`, `flush`, `verify` and `absorb` block: call them in a thread.

    Args:
        path: Where the bytes go.
        parcel: What it becomes: the size and hash that were promised.
        least: No segment of fewer bytes is split among connections.
    """

    def __init__(self, path: Path, parcel: Parcel, least: int) -> None:
        self.path = path
        self.parcel = parcel
        self._state_path = path.with_name(path.name + ".json")
        self._saving = threading.Lock()
        self.writeback = Writeback(path)
        path.touch()
        self._saved = self._load()
        self.mark = self._saved.mark
        """The ETag or date by which the server knows the version that lies here."""
        size = parcel.size if parcel.size is not None else self._saved.size
        self.ledger = Ledger(size, self._saved.spans, least=least)
        new = hash_of(parcel.sha256, parcel.git_sha1, size)
        self._digest = FrontDigest(path, new, self.ledger) if new else None

    def writer(self, offset: int) -> IO[bytes]:
        """The file, opened for writing from an offset on."""
        file = open(self.path, "r+b", buffering=0)  # noqa: SIM115  # the caller closes it
        file.seek(offset)
        return file

    def append(self, file: IO[bytes], segment: Segment, data: memoryview) -> None:
        """Write what has come for a segment; `file` stands at its position."""
        written = 0
        while written < len(data):  # a file without buffer may take less than it was given
            written += file.write(data[written:])
        self.ledger.advance(segment, written)
        if segment.position % STEP_BYTES < written:  # once for each step
            self.wake()
        self.writeback.wrote(segment.start, segment.position, written)

    def absorb(self) -> None:
        """Hash what lies here and what comes, until the file is complete or `let_go` is called."""
        if self._digest is not None:
            self._digest.follow()

    def wake(self) -> None:
        """Tell `absorb` that there is more, or that the file is complete."""
        if self._digest is not None:
            self._digest.wake()

    def let_go(self) -> None:
        """Let `absorb` end at once."""
        if self._digest is not None:
            self._digest.stop()

    def flush(self) -> None:
        """See to it that all that was written is on the disk."""
        with open(self.path, "r+b") as file:
            os.fsync(file.fileno())

    def save(self) -> bool:
        """Flush what has come, and note it; ``False`` when there was nothing new."""
        with self._saving:
            state = _State(size=self.ledger.size, mark=self.mark, spans=self.ledger.spans())
            if state == self._saved:
                return False
            self.flush()
            save(self._state_path, msgspec.json.encode(state))
            self._saved = state
            return True

    def restart(self) -> None:
        """Forget everything, on disk too; the next byte is the first. Nobody writes meanwhile."""
        with self._saving:
            self.ledger.forget(self.parcel.size)
            if self._digest is not None:
                self._digest.restart()
            self._state_path.unlink(missing_ok=True)  # before the bytes that it speaks of
            os.truncate(self.path, 0)
            self._saved = _State()
            self.mark = None

    def verify(self) -> None:
        """Flush to the disk, and hold the hash against the promise.

        Raises:
            ChecksumMismatchError: The bytes are not those that were promised; they are deleted.
        """
        self.flush()
        if self._digest is None:
            return
        while self._digest.catch_up():
            pass
        try:
            compare(self._digest.hexdigest(), self.parcel.sha256 or self.parcel.git_sha1, self.parcel.label)
        except ChecksumMismatchError:
            self.delete()
            raise

    def move(self, target: Path) -> None:
        """Give the file its final name."""
        os.replace(self.path, target)
        self._state_path.unlink(missing_ok=True)

    def delete(self) -> None:
        """Remove the file and what is known of it."""
        self._state_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _load(self) -> _State:
        """What an earlier run noted, as far as it can be true."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            state = msgspec.json.decode(self._state_path.read_bytes(), type=_State)
            end = min(self.path.stat().st_size, self.parcel.size or state.size or 1 << 62)
            if all(0 <= start < stop <= end for start, stop in state.spans):
                return state
        return _State()


def bytes_of(path: Path) -> int:
    """How many bytes of the partial file at `path` an earlier run noted as sure; 0 where it noted nothing."""
    try:
        state = msgspec.json.decode(path.with_name(path.name + ".json").read_bytes(), type=_State)
    except (OSError, msgspec.DecodeError):
        return 0
    return sum(stop - start for start, stop in state.spans)


def compare(found: str, promised: str | None, name: str) -> None:
    """Hold a file's hash against the one that was promised, if one was.

    Raises:
        ChecksumMismatchError: They differ.
    """
    if promised is None or found == promised.lower():
        return
    kind = "SHA-256" if len(found) == 64 else "git hash"
    raise ChecksumMismatchError(
        f"{name} is not the file that was promised: its {kind} is {found}, expected {promised.lower()}."
        " It is not used. Pull again; if it happens again, the file was changed or damaged at its origin."
    )

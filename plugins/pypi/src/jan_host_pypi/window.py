"""The end of a file that lies elsewhere, as a file object: enough for zipfile to list an archive."""

import io


class BeforeWindowError(Exception):
    """What is asked for begins before the bytes at hand.

    Args:
        offset: Where it begins.
    """

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Window(io.RawIOBase):
    """A file of `size` bytes of which only the last `tail` are known.

    Reading before them raises `BeforeWindowError`.
    """

    def __init__(self, tail: bytes, size: int) -> None:
        super().__init__()
        self._tail = tail
        self._size = size
        self._start = size - len(tail)
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position, counted from the file's start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; zipfile asks for places before the start of damaged files, which is an error of theirs."""
        position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset
        if position < 0:
            raise OSError("seek before the start of the file")
        self._position = position
        return position

    def read(self, size: int | None = -1, /) -> bytes:
        """The bytes from here on."""
        if self._position < self._start:
            raise BeforeWindowError(self._position)
        start = self._position - self._start
        end = len(self._tail) if size is None or size < 0 else start + size
        chunk = self._tail[start:end]
        self._position += len(chunk)
        return chunk

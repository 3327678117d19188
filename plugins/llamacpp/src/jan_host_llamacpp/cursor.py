"""A place in a file that never leaves it: reads what is asked for, and counts what is left."""

from struct import Struct
from typing import BinaryIO, Final

from jan_host import ModelBrokenError

_WINDOW: Final = 1 << 20
_LENGTH: Final = Struct("<Q")


class Cursor:
    """Reads a file from its beginning on, in windows of a megabyte.

    A mapping of the file would be shorter, and would kill the process when somebody cuts the file
    off meanwhile, as a copy that is started again does.

    Args:
        stream: The file, open for reading in binary.
        size: Its size in bytes.
    """

    __slots__ = ("_base", "_data", "_stream", "position", "size")

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.position = 0
        """Where the next read begins, in bytes from the file's beginning."""
        self.size = size
        self._stream = stream
        self._base = 0
        self._data = b""

    def demand(self, count: int) -> None:
        """Make sure that so many bytes are left.

        Raises:
            ModelBrokenError: They are not.
        """
        if count > self.size - self.position:
            raise ModelBrokenError(
                f"is truncated: it ends after {self.size} bytes, inside its header. Download it again."
            )

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        self.demand(count)
        start = self.position - self._base
        if not 0 <= start <= len(self._data) - count:
            self._fill(count)
            start = 0
        self.position += count
        return self._data[start : start + count]

    def skip(self, count: int) -> None:
        """Step over `count` bytes without reading them."""
        self.demand(count)
        self.position += count

    def number(self, form: Struct) -> int | float | bool:
        """The next number."""
        value: int | float | bool = form.unpack(self.take(form.size))[0]
        return value

    def integer(self, form: Struct) -> int:
        """The next whole number; `form` is one."""
        value: int = form.unpack(self.take(form.size))[0]
        return value

    def text(self, limit: int, what: str) -> str:
        """The next string; bytes that are not UTF-8 become U+FFFD.

        Args:
            limit: The longest that it may be, in bytes.
            what: What the string is, for the error.
        """
        length = self.integer(_LENGTH)
        self.demand(length)
        if length > limit:
            raise ModelBrokenError(f"is damaged: {what} is {length} bytes long. Download it again.")
        return self.take(length).decode("utf-8", "replace")

    def skip_texts(self, count: int) -> None:
        """Step over `count` strings. A vocabulary has hundreds of thousands: this is the inner loop."""
        unpack = _LENGTH.unpack_from
        left = count
        while left:
            self.demand(8 * left)
            self._fill(8)
            data, place = self._data, 0
            last = len(data) - 8
            while left and place <= last:
                place += 8 + unpack(data, place)[0]
                left -= 1
            self.skip(place)

    def _fill(self, count: int) -> None:
        """Bring the next `count` bytes at least into the window."""
        self._base = self.position
        self._stream.seek(self.position)
        self._data = self._stream.read(min(max(count, _WINDOW), self.size - self.position))
        if len(self._data) < count:
            raise ModelBrokenError("became shorter while it was read. Wait for the end of the copy.")

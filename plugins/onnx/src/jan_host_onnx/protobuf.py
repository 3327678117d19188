"""Walk over a protobuf message in memory, with every length held against its bounds, and write fields.

The wire format: https://protobuf.dev/programming-guides/encoding/.
"""

import mmap
from collections.abc import Iterator
from typing import Final

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_MOST_TEXT: Final = 64 * 1024
"""Names are shorter; what is longer is no name."""


class MessageError(ValueError):
    """The bytes are not a message: the text says why, as the end of a sentence."""


class Message:
    """A message, or a text or bytes, which look the same on the wire: a part of the file.

    Args:
        data: The whole file.
        start: Where the message begins.
        end: Where it ends.
    """

    __slots__ = ("_data", "end", "start")

    def __init__(self, data: "mmap.mmap | bytes", start: int, end: int) -> None:
        self._data = data
        self.start = start
        self.end = end

    def __len__(self) -> int:
        """Its size in bytes."""
        return self.end - self.start

    def content(self) -> bytes:
        """Its bytes."""
        return self._data[self.start : self.end]

    def fields(self) -> Iterator[tuple[int, "int | Message"]]:
        """Each field's number, with a number or a part of the file.

        Raises:
            MessageError: A field is cut off, or of a kind that there is not.
        """
        data, position, end = self._data, self.start, self.end
        while position < end:
            key, position = _varint(data, position, end)
            kind, number = key & 7, key >> 3
            if number == 0:
                raise MessageError("a field has the number 0")
            if kind == _VARINT:
                value, position = _varint(data, position, end)
                yield number, value
                continue
            if kind == _BYTES:
                size, position = _varint(data, position, end)
            elif kind in (_FIXED32, _FIXED64):
                size = 4 if kind == _FIXED32 else 8
            else:
                raise MessageError(f"a field is of the unknown kind {kind}")
            if size > end - position:
                raise MessageError(f"it ends {size - (end - position)} bytes too early")
            yield number, Message(data, position, position + size)
            position += size

    def at(self, *path: int) -> Iterator["Message"]:
        """The parts that lie behind these numbers of fields, one inside the other."""
        if not path:
            yield self
            return
        for number, value in self.fields():
            if number == path[0] and isinstance(value, Message):
                yield from value.at(*path[1:])

    def text(self, field: int) -> str:
        """The text of a field, ``""`` when it is not there."""
        return next((part.as_text() for part in self.at(field)), "")

    def number(self, field: int) -> int:
        """The number of a field, 0 when it is not there."""
        return next((value for key, value in self.fields() if key == field and isinstance(value, int)), 0)

    def varints(self) -> list[int]:
        """The numbers of this part, which is a packed list of them."""
        found, position = [], self.start
        while position < self.end:
            value, position = _varint(self._data, position, self.end)
            found.append(value)
        return found

    def as_text(self) -> str:
        """This part as text."""
        if len(self) > _MOST_TEXT:
            return ""
        return self.content().decode("utf-8", "replace")


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number, from 0 on."""
    return _as_varint(number << 3 | _VARINT) + _as_varint(value)


def part_field(number: int, size: int) -> bytes:
    """The head of a field that holds a message, a text or bytes; `size` bytes belong behind it."""
    return _as_varint(number << 3 | _BYTES) + _as_varint(size)


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _varint(data: "mmap.mmap | bytes", position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise MessageError("a number is longer than 64 bits")
    raise MessageError("it ends inside a number")

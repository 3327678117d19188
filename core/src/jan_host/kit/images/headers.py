"""What the first bytes of an image tell: its format and its size, without decoding it.

A few kilobytes may promise a picture of many gigabytes; the promise stands in the header. Formats:

- PNG: RFC 2083, 4.1.1
- JPEG: ITU-T T.81, B.2.2; a frame header (SOF) names height and width
- GIF: GIF89a, 18; the logical screen
- BMP: the information header, or OS/2's older one
- WebP: RFC 9649, 2.5 to 2.7
"""

import re
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SOF: Final = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
"""JPEG's frame headers: all of C0 to CF but the tables DHT (C4), JPG (C8) and DAC (CC)."""
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG's markers without a length."""
_MARKER: Final = re.compile(rb"\xff+([^\xff\x00])")
_MOST_SEGMENTS: Final = 4096
"""Of a JPEG, before its frame header: colour profiles and thumbnails come in parts of 64 KB."""


class Look(NamedTuple):
    """What an image's header says; a size of 0 by 0 where it breaks off before it says so."""

    media_type: str
    width: int = 0
    height: int = 0

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


def look(data: bytes) -> Look | None:
    """The format and size of an image, ``None`` when it is none of the known formats.

    Args:
        data: The whole file.
    """
    for begins, media_type, size in _FORMATS:
        if data.startswith(begins):
            try:
                return Look(media_type, *size(data))
            except (struct.error, IndexError):
                return Look(media_type)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Look("image/webp")
    return None


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else (0, 0)


def jpeg_frame(data: bytes) -> int | None:
    """Where the contents of a JPEG's frame header begin, behind its marker; ``None``: there is none."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            break
        position = found.end()
        marker = found[1][0]
        if marker in _SOF:
            return position
        if marker not in _STANDALONE:
            position += max(2, int.from_bytes(data[position : position + 2]))
    return None


def _jpeg(data: bytes) -> tuple[int, int]:
    frame = jpeg_frame(data)
    if frame is None:
        return 0, 0
    height, width = struct.unpack_from(">HH", data, frame + 3)
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return abs(width), abs(height)


_FORMATS: Final[tuple[tuple[bytes, str, Callable[[bytes], tuple[int, int]]], ...]] = (
    (_PNG, "image/png", _png),
    (b"\xff\xd8\xff", "image/jpeg", _jpeg),
    (b"GIF87a", "image/gif", _gif),
    (b"GIF89a", "image/gif", _gif),
    (b"BM", "image/bmp", _bmp),
)

"""A look through the whole of an image, for decoders that trust what a file says of itself.

What a PNG unpacks to may be larger than its header promises by a factor of a thousand, and a JPEG may
want to be gone over ten thousand times: both are told before a decoder allocates or computes anything.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from jan_host.contract.errors import InvalidRequestError
from jan_host.kit.images.headers import jpeg_frame
from jan_host.kit.images.reading import Image, broken

_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By PNG's colour type (RFC 2083, 2.2)."""
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Of an interlaced PNG: first column and row, steps between columns and rows (RFC 2083, 2.6)."""
_SCAN: Final = re.compile(rb"\xff\xda")
_MOST_SCANS: Final = 100
"""Of a JPEG; encoders write 10 at most."""
_PIECE: Final = 1 << 14
_MOST_UNPACKED: Final = 1 << 18
"""Bytes that are unpacked at once."""


def check_contents(image: Image, *, param: str = "messages") -> None:
    """Make sure that the image is whole, and unpacks to what its header promises.

    Takes 0.1 s for a photograph: not on an event loop.

    Raises:
        InvalidRequestError: It is broken, breaks off, or is made to exhaust its reader.
    """
    if image.media_type == "image/png":
        _check_png(image, param)
    elif image.media_type == "image/jpeg":
        _check_jpeg(image, param)


def _check_jpeg(image: Image, param: str) -> None:
    if b"\xff\xd9" not in image.data[-_PIECE:]:
        raise broken(image.media_type, param)
    # Within the data of a scan, FF is always followed by 00.
    frame = jpeg_frame(image.data) or 0
    scans = [found.end() for found in _SCAN.finditer(image.data, frame)]
    if len(scans) > _MOST_SCANS:
        raise _bomb(image, param)
    # What no scan fills, a decoder may take from its memory as it finds it.
    missing = set(_framed(image.data, frame)).difference(*(_scanned(image.data, start) for start in scans))
    if missing:
        raise broken(image.media_type, param)


def _framed(data: bytes, start: int) -> list[int]:
    """The components that a JPEG's frame header promises (T.81, B.2.2)."""
    return list(data[start + 8 : start + 8 + 3 * data[start + 7] : 3])


def _scanned(data: bytes, start: int) -> bytes:
    """The components that a scan fills (T.81, B.2.3)."""
    header = data[start : start + 11]
    return header[3 : 3 + 2 * header[2] : 2] if len(header) > 3 else b""


def _check_png(image: Image, param: str) -> None:
    try:
        depth, colour, *_, interlaced = struct.unpack_from(">BBBBB", image.data, 24)
        promised = _png_size(image, depth * _CHANNELS[colour], interlaced=bool(interlaced))
        unpacked = _unpacked(_chunks(image.data), promised)
    except (struct.error, KeyError, zlib.error):
        raise broken(image.media_type, param) from None
    if unpacked > promised:
        raise _bomb(image, param)
    if unpacked < promised:
        raise broken(image.media_type, param)


def _png_size(image: Image, bits: int, *, interlaced: bool) -> int:
    """Bytes of all lines, each with the number of its filter."""
    if not interlaced:
        return image.height * _line(image.width, bits)
    total = 0
    for x, y, across, down in _PASSES:
        columns, rows = -(-(image.width - x) // across), -(-(image.height - y) // down)
        if columns > 0 and rows > 0:
            total += rows * _line(columns, bits)
    return total


def _line(columns: int, bits: int) -> int:
    return 1 + (columns * bits + 7) // 8


def _chunks(data: bytes) -> Iterator[memoryview]:
    """The image data of a PNG, in parts.

    Raises:
        struct.error: The file breaks off.
    """
    view = memoryview(data)
    position = 8
    while True:
        size, name = struct.unpack_from(">I4s", data, position)
        position += 8
        if position + size + 4 > len(data):
            raise struct.error("a chunk is longer than the file")
        if name == b"IEND":
            return
        if name == b"IDAT":
            yield view[position : position + size]
        position += size + 4


def _unpacked(chunks: Iterator[memoryview], promised: int) -> int:
    """How many bytes the chunks unpack to; counted no further than beyond what is promised."""
    unpacker = zlib.decompressobj()
    total = 0
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            rest: bytes | memoryview = chunk[start : start + _PIECE]
            while rest and not unpacker.eof and total <= promised:
                total += len(unpacker.decompress(rest, _MOST_UNPACKED))
                rest = unpacker.unconsumed_tail
    return total + (len(unpacker.flush()) if total <= promised else 0)


def _bomb(image: Image, param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The image ({image.media_type}) unpacks to more than its header promises, or again and again:"
        " refused. Send it as another program saves it.",
        param=param,
    )

"""Image files for tests, written by hand: sound ones, broken ones, and such as are made to do harm."""

import base64
import random
import struct
import zlib

Colour = tuple[int, int, int]

RED: Colour = (255, 0, 0)
GREEN: Colour = (0, 255, 0)
BLUE: Colour = (0, 0, 255)


def png(colour: Colour = RED, width: int = 24, height: int = 20) -> bytes:
    """A PNG of one colour."""
    lines = (b"\0" + bytes(colour) * width) * height
    return png_of(width, height, zlib.compress(lines))


def png_of_pixels(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG of these pixels, three bytes each."""
    size = 3 * width
    lines = b"".join(b"\0" + pixels[start : start + size] for start in range(0, size * height, size))
    return png_of(width, height, zlib.compress(lines))


def noise(width: int, height: int, *, seed: int) -> bytes:
    """Pixels by chance."""
    return random.Random(seed).randbytes(3 * width * height)


def png_of(width: int, height: int, packed: bytes, *, kind: tuple[int, ...] = (8, 2, 0, 0, 0)) -> bytes:
    """A PNG that promises a size, with any packed lines."""
    head = struct.pack(">II", width, height) + bytes(kind)
    chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def bomb(size: int) -> bytes:
    """A PNG of one pixel that unpacks to `size` bytes."""
    return png_of(1, 1, zlib.compress(bytes(size), 9))


def bmp(colour: Colour = RED, width: int = 24, height: int = 20) -> bytes:
    """A BMP of one colour."""
    line = bytes(reversed(colour)) * width
    pixels = (line + bytes(-len(line) % 4)) * height
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def gif(colour: Colour = RED, width: int = 2, height: int = 2) -> bytes:
    """A GIF of one colour, its pixels as codes of three bits, each behind a code that clears the table."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(colour) + bytes(3)
    codes = [each for _ in range(width * height) for each in (4, 0)] + [5]
    bits = sum(code << (3 * place) for place, code in enumerate(codes))
    packed = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    blocks = [packed[start : start + 255] for start in range(0, len(packed), 255)]
    frame = b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\x02"
    return head + frame + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0;"


def jpeg_head(width: int, height: int, behind: bytes = b"\xff\xd9") -> bytes:
    """The beginning of a JPEG up to its size, and what comes behind."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"
    return b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + behind


def url(data: bytes, media_type: str = "image/png") -> str:
    """A data URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

"""Images of requests: what is taken, and what is refused before a decoder sees it."""

import random
import struct
import zlib
from contextlib import suppress

import pytest
from jan_host import InvalidRequestError, UnsupportedError
from jan_host.kit.images import Image, ImageLimits, check_contents, check_image, data_url, look, read_image

from tests.pictures import bmp, bomb, gif, jpeg_head, png, png_of, url

SMALL = ImageLimits(max_bytes=4096, max_pixels=10_000)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(png(), "image/png"), (bmp(), "image/bmp"), (gif(width=24, height=20), "image/gif")],
)
def test_an_image_is_read_out_of_its_data_url(data: bytes, media_type: str) -> None:
    image = read_image(url(data, media_type), SMALL)
    check_contents(image)
    assert image == Image(data, media_type, 24, 20)
    assert read_image(data_url(image)) == image


def test_a_jpeg_tells_its_size_behind_other_segments() -> None:
    data = jpeg_head(640, 480)
    assert look(data) == ("image/jpeg", 640, 480)
    assert read_image(url(data, "image/jpg")).media_type == "image/jpeg"


def test_the_bytes_decide_where_nobody_names_a_kind() -> None:
    for said in ("", "application/octet-stream"):
        assert read_image(url(png(), said)).media_type == "image/png"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "must be a data URL"),
        ("data:", "must be a data URL"),
        ("data:,", "not in base64"),
        ("data:image/png,abc", "not in base64"),
        ("data:image/png;base64,", "empty"),
        ("data:image/png;base64,AAA", "broken base64"),
        ("data:image/png;base64,A A=", "broken base64"),
        ("data:image/png;base64,Ö===", "broken base64"),
        ("https://example.org/cat.png", "must be a data URL"),
        ("file:///etc/passwd", "must be a data URL"),
        ("/etc/passwd", "must be a data URL"),
        (url(png(), "image/jpeg"), "said to be image/jpeg, and its bytes are image/png"),
        (url(png()[:20]), "broken"),
        (url(jpeg_head(0, 480), "image/jpeg"), "broken"),
        (url(b"\xff\xd8\xff" * 1000, "image/jpeg"), "broken"),
        (url(png(width=101, height=100)), "101 x 100 pixels; 10000 are the most"),
        (url(png_of(2**31 - 1, 2**31 - 1, b"")), "pixels"),
        (url(png() + bytes(5000)), "bytes; 4096 are the most"),
    ],
)
def test_what_is_no_sound_image_is_refused_with_a_reason(given: str, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says) as caught:
        read_image(given, SMALL, param="messages[0].content[1].image_url")
    assert caught.value.http_status == 400
    assert caught.value.param == "messages[0].content[1].image_url"


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"%PDF-1.7",
        b"8BPS\0\x01",
        b"#?RADIANCE\n",
    ],
)
def test_formats_that_are_not_read_are_named(data: bytes) -> None:
    with pytest.raises(UnsupportedError, match="Send PNG or JPEG"):
        read_image(url(data, "image/svg+xml"))


def test_a_file_that_breaks_off_is_refused() -> None:
    whole = png()
    for size in range(33, len(whole) - 12, 5):
        with pytest.raises(InvalidRequestError):
            check_contents(read_image(url(whole[:size])))
    with pytest.raises(InvalidRequestError, match="breaks off"):
        check_contents(read_image(url(jpeg_head(8, 8, b""), "image/jpeg")))


def test_a_png_that_unpacks_to_more_than_it_promises_is_refused_unread() -> None:
    with pytest.raises(InvalidRequestError, match="unpacks to more than its header promises"):
        check_contents(read_image(url(bomb(64 * 1024 * 1024))))


def test_a_png_with_too_few_lines_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="broken"):
        check_contents(read_image(url(png_of(24, 20, zlib.compress(bytes(10))))))


def test_an_interlaced_png_is_counted_by_its_passes() -> None:
    passes = ((1, 1), (1, 1), (2, 1), (1, 2), (3, 1), (3, 3), (6, 2))
    lines = b"".join(bytes(1 + 3 * columns) * rows for columns, rows in passes)
    image = read_image(url(png_of(6, 5, zlib.compress(lines), kind=(8, 2, 0, 0, 1))))
    check_contents(image)


def test_a_jpeg_of_too_many_scans_is_refused() -> None:
    data = jpeg_head(8, 8, b"\xff\xda\0\x08\x01\x01\0\0\0\0" * 1000 + b"\xff\xd9")
    with pytest.raises(InvalidRequestError, match="again and again"):
        check_contents(read_image(url(data, "image/jpeg")))


@pytest.mark.parametrize("scans", [b"", b"\xff\xda\0\x08\x01\x02\0\0\0\0", b"\xff\xda\0"])
def test_a_jpeg_with_a_part_that_no_scan_fills_is_refused(scans: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="broken"):
        check_contents(read_image(url(jpeg_head(8, 8, scans + b"\xff\xd9"), "image/jpeg")))


def test_a_whole_jpeg_is_taken() -> None:
    data = jpeg_head(8, 8, b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\x7f\xff\xd9")
    check_contents(read_image(url(data, "image/jpeg")))


def test_chance_bytes_raise_nothing_else() -> None:
    chance = random.Random(7)
    starts = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBP", b"")
    for _ in range(2000):
        data = bytearray(chance.choice(starts) + chance.randbytes(chance.randrange(100)))
        if chance.random() < 0.5 and len(data) > 30:
            struct.pack_into(">II", data, 16, 8, 8)
        with suppress(InvalidRequestError):
            check_contents(check_image(bytes(data), "", SMALL))

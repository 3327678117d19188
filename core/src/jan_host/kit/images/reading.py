"""An image of a request: out of its data URL, and held against limits."""

import base64
import binascii
import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from jan_host.contract.errors import InvalidRequestError, UnsupportedError
from jan_host.kit.images.headers import Look, look

_HEAD: Final = re.compile(r"data:(?P<type>[\w.+/-]{0,100})(?P<words>(?:;[\w.+=-]{1,100}){0,8}),", re.ASCII)
_SPELLINGS: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-ms-bmp": "image/bmp"}
_CURE: Final = "Send PNG or JPEG."

KINDS: Final = ("image/png", "image/jpeg", "image/gif", "image/bmp")
"""The media types of images that are read: what the decoders of engines have in common."""

Positive = Annotated[int, Meta(ge=1, le=2**40)]


class ImageLimits(msgspec.Struct, kw_only=True, frozen=True):
    """How large an image may be."""

    max_bytes: Positive = 20 * 1024 * 1024
    """Of the file."""
    max_pixels: Positive = 40_000_000
    """Width times height: what a decoder makes of few bytes may be many gigabytes."""


DEFAULT_LIMITS: Final = ImageLimits()


class Image(msgspec.Struct, frozen=True):
    """An image file, still encoded, whose header is sound."""

    data: bytes
    media_type: str
    """By its first bytes."""
    width: int
    height: int


def read_image(url: str, limits: ImageLimits = DEFAULT_LIMITS, *, param: str = "messages") -> Image:
    """The image of a data URL (RFC 2397).

    Args:
        url: ``data:image/png;base64,...``
        limits: How large it may be.
        param: The field of the request, for errors.

    Raises:
        InvalidRequestError: It is no data URL with an image, or too large; says what to do.
        UnsupportedError: An image of a format that is not read here.
    """
    head = _HEAD.match(url[:1024])
    if head is None:
        raise InvalidRequestError(
            "An image must be a data URL such as data:image/png;base64,... Put the file's bytes into it.",
            param=param,
        )
    if not head["words"].lower().endswith(";base64"):
        raise InvalidRequestError(f"The image's data URL is not in base64. {_CURE}", param=param)
    size = (len(url) - head.end()) * 3 // 4
    _check_bytes(size - 2, limits, param)
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(
            "The image's data URL holds broken base64. Encode the file's bytes anew, without line breaks.",
            param=param,
        ) from None
    return check_image(data, head["type"].lower(), limits, param=param)


def check_image(data: bytes, media_type: str, limits: ImageLimits, *, param: str = "messages") -> Image:
    """An image file whose header fits what was said of it.

    Args:
        data: The file.
        media_type: What it was said to be; empty where nobody said so.
        limits: How large it may be.
        param: The field of the request, for errors.

    Raises:
        InvalidRequestError: It is empty, broken off, too large, or something else than was said.
        UnsupportedError: A format that is not read here.
    """
    if not data:
        raise InvalidRequestError(f"The image is empty. {_CURE}", param=param)
    _check_bytes(len(data), limits, param)
    seen = look(data)
    if seen is None or seen.media_type not in KINDS:
        named = seen.media_type if seen else media_type or "nothing known"
        raise UnsupportedError(
            f"The image can't be read here: by its bytes it is {'' if seen else 'no PNG, JPEG, GIF or BMP; '}"
            f"{'said to be ' if not seen else ''}{named[:100]}. {_CURE}",
            param=param,
        )
    said = _SPELLINGS.get(media_type, media_type)
    if said not in ("", "application/octet-stream", "binary/octet-stream", seen.media_type):
        raise InvalidRequestError(
            f"The image is said to be {said}, and its bytes are {seen.media_type}. Correct the media type.",
            param=param,
        )
    _check_size(seen, limits, param)
    return Image(data, seen.media_type, seen.width, seen.height)


def broken(media_type: str, param: str) -> InvalidRequestError:
    """The error for a file that can't be decoded."""
    return InvalidRequestError(
        f"The image ({media_type}) is broken, or breaks off before its end. Send the whole file.",
        param=param,
    )


def data_url(image: Image) -> str:
    """The image as a data URL."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"


def _check_bytes(size: int, limits: ImageLimits, param: str) -> None:
    if size > limits.max_bytes:
        raise InvalidRequestError(
            f"The image takes {size} bytes; {limits.max_bytes} are the most here. Send a smaller one.",
            param=param,
        )


def _check_size(seen: Look, limits: ImageLimits, param: str) -> None:
    if not seen.pixels:
        raise broken(seen.media_type, param)
    if seen.pixels > limits.max_pixels:
        raise InvalidRequestError(
            f"The image has {seen.width} x {seen.height} pixels; {limits.max_pixels} are the most here."
            " Scale it down.",
            param=param,
        )

"""For hosts and engines of models that see: images in requests, checked before any decoder touches them."""

from jan_host.kit.images.contents import check_contents
from jan_host.kit.images.headers import Look, look
from jan_host.kit.images.reading import (
    DEFAULT_LIMITS,
    KINDS,
    Image,
    ImageLimits,
    broken,
    check_image,
    data_url,
    read_image,
)

__all__ = [
    "DEFAULT_LIMITS",
    "KINDS",
    "Image",
    "ImageLimits",
    "Look",
    "broken",
    "check_contents",
    "check_image",
    "data_url",
    "look",
    "read_image",
]

"""Looks at images: one after the other, on a thread of its own, and remembers what it saw.

A conversation sends its images again with every turn. To encode one takes longer than all the rest of a
request, so that what became of it is kept.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from jan_host import ContextLengthExceededError, UnsupportedError
from jan_host.kit.images import Image, ImageLimits, check_contents, read_image

from jan_host_llamacpp.vision.projector import Chunk, Projector
from jan_host_llamacpp.vision.sight import Sight, stand_ins

LIMITS: Final = ImageLimits(max_bytes=2**26, max_pixels=2**28)
"""What the decoder can bear; hosts hold images against their own limits before."""
KEPT_BYTES: Final = 256 * 1024 * 1024
"""For images that were seen: of a large model, 20 to 50 of them."""


class Seen(NamedTuple):
    """A part of an image in a prompt."""

    ids: list[int]
    """What stands for it among the ids of tokens."""
    sight: Sight


Picture = Sequence[list[int] | Seen]
"""What an image becomes in a prompt: tokens around it, and its parts."""


class Eye:
    """Made on the event loop that will call it.

    Args:
        projector: What reads and encodes; belongs to this object's thread from now on.
        context_length: Tokens that one request may use.
        batch_size: Tokens that can be computed at once.
        kept_bytes: How much of what was seen is kept.
    """

    def __init__(
        self, projector: Projector, *, context_length: int, batch_size: int, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._projector = projector
        self._context_length = context_length
        self._batch_size = batch_size
        self._thread = ThreadPoolExecutor(1, "vision")
        self._kept: OrderedDict[bytes, tuple[Picture, int]] = OrderedDict()
        self._room = kept_bytes

    async def look(self, urls: Sequence[str]) -> list[Picture]:
        """What images become in a prompt.

        Args:
            urls: Data URLs.

        Raises:
            InvalidRequestError: One of them is no image, or can't be decoded.
            ContextLengthExceededError: They take more tokens than a request may have.
        """
        loop = asyncio.get_running_loop()
        found: list[Picture] = []
        taken = 0
        for number, url in enumerate(urls):
            # Each by itself, so that others come in between, and one whose client went away ends soon.
            picture = await loop.run_in_executor(self._thread, self._look, url, number, taken)
            taken += _size(picture)
            found.append(picture)
        return found

    async def measure(self, url: str) -> int:
        """How many tokens of a prompt an image takes.

        Raises:
            InvalidRequestError: As `look`.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._measure, url)

    async def close(self) -> None:
        """End the thread; what it does now it does to its end."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    # From here on: the thread.

    def _measure(self, url: str) -> int:
        with self._projector.reading(_checked(url, "url"), "url") as pieces:
            return _size(pieces)

    def _look(self, url: str, number: int, taken: int) -> Picture:
        image = read_image(url, LIMITS, param=_param(number))
        digest = hashlib.sha256(image.data).digest()
        known = self._kept.get(digest)
        if known is not None:
            self._kept.move_to_end(digest)
            self._check_room(_size(known[0]), taken)
            return known[0]
        check_contents(image, param=_param(number))
        picture = self._see(image, digest, number, taken)
        self._keep(digest, picture)
        return picture

    def _see(self, image: Image, digest: bytes, number: int, taken: int) -> Picture:
        with self._projector.reading(image, _param(number)) as pieces:
            self._check_room(_size(pieces), taken)
            for piece in pieces:
                self._check_batch(piece)
            return [
                self._encoded(piece, digest + place.to_bytes(4)) if isinstance(piece, Chunk) else piece
                for place, piece in enumerate(pieces)
            ]

    def _encoded(self, chunk: Chunk, digest: bytes) -> Seen:
        return Seen(stand_ins(digest, chunk.size), self._projector.encode(chunk))

    def _keep(self, digest: bytes, picture: Picture) -> None:
        size = sum(piece.sight.bytes for piece in picture if isinstance(piece, Seen))
        if size > self._room:
            return
        self._room -= size
        self._kept[digest] = picture, size
        while self._room < 0:
            _, (_, freed) = self._kept.popitem(last=False)
            self._room += freed

    def _check_room(self, size: int, taken: int) -> None:
        if taken + size >= self._context_length:
            raise ContextLengthExceededError(
                f"This model's maximum context length is {self._context_length} tokens, and the images alone"
                f" take {taken + size} or more. Send fewer or smaller ones, or raise its setting ctx_len.",
                param="messages",
            )

    def _check_batch(self, piece: list[int] | Chunk) -> None:
        if isinstance(piece, Chunk) and self._projector.extent.whole and piece.size > self._batch_size:
            raise UnsupportedError(
                f"The image takes {piece.size} tokens, which this model must compute at once; n_ubatch allows"
                f" {self._batch_size}. Raise n_batch and n_ubatch in the model's settings.",
                param="messages",
            )


def _checked(url: str, param: str) -> Image:
    image = read_image(url, LIMITS, param=param)
    check_contents(image, param=param)
    return image


def _size(pieces: Sequence[list[int] | Chunk | Seen]) -> int:
    return sum(
        piece.size if isinstance(piece, Chunk) else len(piece.ids) if isinstance(piece, Seen) else len(piece)
        for piece in pieces
    )


def _param(number: int) -> str:
    return f"messages (image {number})"

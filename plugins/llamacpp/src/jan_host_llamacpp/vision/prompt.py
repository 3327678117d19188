"""Prompts with images: which tokens stand for one, and what that means for computing and sharing them.

Tokens are counted as everywhere else, each vector of an image as one. Positions in the context are another
count where images lie in a plane (M-RoPE): such an image takes fewer positions than it has vectors.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jan_host.kit.generation import Sequence

from jan_host_llamacpp.adapters.prompt import AdaptedPrompt
from jan_host_llamacpp.vision.sight import Sight


@dataclass(frozen=True, slots=True)
class Placed:
    """An image, or a part of one, in a prompt."""

    start: int
    """The first token that it takes the place of."""
    position: int
    """The position in the context at which it begins."""
    sight: Sight

    @property
    def end(self) -> int:
        """The token behind it."""
        return self.start + self.sight.size


@dataclass(frozen=True)
class SeeingPrompt(AdaptedPrompt):
    """A prompt with images; ids below 0 stand for their vectors."""

    images: tuple[Placed, ...] = ()
    """In their order."""

    def at(self, token: int) -> Placed | None:
        """The image that a token stands in."""
        return next((image for image in self.images if image.start <= token < image.end), None)

    def run(self, token: int) -> int | None:
        """How many tokens from this one on are computed alike: to the next image, or to this one's end."""
        image = self.at(token)
        if image is not None:
            return image.end - token
        return next((image.start - token for image in self.images if image.start > token), None)

    def position(self, token: int) -> int:
        """Where in the context a token stands, that is not inside an image."""
        passed = [image.sight for image in self.images if image.end <= token]
        return token - sum(sight.size - sight.positions for sight in passed)

    @cached_property
    def movable(self) -> int:
        """How many of the first tokens stand at the position of their number: these can be shared."""
        bent = (image.start for image in self.images if image.sight.planes is not None)
        return min(bent, default=len(self.ids))


def seeing(sequence: Sequence[Any]) -> SeeingPrompt | None:
    """The prompt of a sequence, where it has images."""
    given = sequence.job.given
    return given if isinstance(given, SeeingPrompt) else None


def image_at(sequence: Sequence[Any]) -> Placed | None:
    """The image that the next token of a sequence stands in."""
    prompt = seeing(sequence)
    return prompt.at(sequence.past) if prompt is not None else None


def at_once(sequence: Sequence[Any], size: int) -> int:
    """How many of the next `size` tokens can be computed at once."""
    prompt = seeing(sequence)
    run = prompt.run(sequence.past) if prompt is not None else None
    return size if run is None else min(size, run)


def at_least(sequence: Sequence[Any], size: int) -> int:
    """How many tokens are computed where `size` were to be: an image whose parts see each other is whole."""
    image = image_at(sequence) if size else None
    return image.sight.size if image is not None and image.sight.whole else size


def next_position(sequence: Sequence[Any]) -> int:
    """Where in the context the next token stands, that is not inside an image."""
    prompt = seeing(sequence)
    return sequence.past if prompt is None else prompt.position(sequence.past)


def cut_point(sequence: Sequence[Any]) -> tuple[int, int]:
    """The last token before which what is computed can be cut, and its position.

    Within an image in a plane there is none: its vectors share positions.
    """
    image = image_at(sequence)
    if image is None:
        return sequence.past, next_position(sequence)
    if image.sight.planes is not None:
        return image.start, image.position
    return sequence.past, image.position + sequence.past - image.start


def shareable(sequence: Sequence[Any]) -> int:
    """How many of a prompt's first tokens may be taken over from others: not all, logits are needed.

    An image that must be computed at once is taken over whole, or not at all.
    """
    if sequence.is_fresh:
        return 0
    prompt, most = seeing(sequence), sequence.length - 1
    if prompt is None:
        return most
    most = min(most, prompt.movable)
    image = prompt.at(most)
    return image.start if image is not None and image.sight.whole else most

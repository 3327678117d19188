"""A rendered conversation and its images become one prompt."""

from collections.abc import Sequence

from jan_host.kit import Segment

from jan_host_llamacpp.prompts import segment_ids, with_start
from jan_host_llamacpp.vision.eye import Picture, Seen
from jan_host_llamacpp.vision.prompt import Placed, SeeingPrompt
from jan_host_llamacpp.vocab import Vocab


def assemble(segments: Sequence[Segment], pictures: Sequence[Picture], vocab: Vocab) -> SeeingPrompt:
    """The prompt of a conversation with images.

    Args:
        segments: The rendered conversation; those that are an image stand for the pictures, in their order.
        pictures: What the images became.
        vocab: The model's vocabulary.
    """
    before, *texts = _apart(segments)
    ids = with_start(segment_ids(before, vocab), vocab)
    images: list[Placed] = []
    bent = 0  # by how much positions are behind tokens
    for picture, text in zip(pictures, texts, strict=True):
        for piece in picture:
            if isinstance(piece, Seen):
                images.append(Placed(len(ids), len(ids) - bent, piece.sight))
                bent += piece.sight.size - piece.sight.positions
            ids += piece.ids if isinstance(piece, Seen) else piece
        ids += segment_ids(text, vocab)
    return SeeingPrompt(ids, images=tuple(images))


def _apart(segments: Sequence[Segment]) -> list[list[Segment]]:
    """What stands before, between and behind the images."""
    found: list[list[Segment]] = [[]]
    for segment in segments:
        if segment.image:
            found.append([])
        else:
            found[-1].append(segment)
    return found

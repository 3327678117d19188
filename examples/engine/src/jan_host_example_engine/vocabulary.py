"""Tokens: the words of the model's text, and the 256 bytes for everything else."""

import re
from collections.abc import Iterator, Sequence

from jan_host import InvalidRequestError

END = 256
"""The token that stands between two passages; generating it ends the answer."""

_PIECES = re.compile(r" ?\w+|\s+|[^\w\s]")


def split_pieces(text: str) -> Iterator[str]:
    """Cut a text into words (with the space in front), white space and single signs; nothing is lost."""
    return (match.group() for match in _PIECES.finditer(text))


class Vocabulary:
    """Ids of pieces of text, and back.

    Ids 0 to 255 are single bytes, 256 is `END`, the rest are the pieces of the model's text in
    the order in which they occur. A text that a user typed never becomes `END`, whatever it says.

    Args:
        text: The model's text.
    """

    def __init__(self, text: str) -> None:
        pieces = dict.fromkeys(split_pieces(text))
        self._ids = {piece: number for number, piece in enumerate(pieces, END + 1)}
        self._bytes = [bytes([value]) for value in range(256)] + [b"<|end|>"]
        self._bytes += [piece.encode() for piece in pieces]

    def __len__(self) -> int:
        return len(self._bytes)

    def encode(self, text: str) -> list[int]:
        """The ids of a text; a piece that the vocabulary does not have becomes its UTF-8 bytes."""
        ids: list[int] = []
        for piece in split_pieces(text):
            known = self._ids.get(piece)
            ids.extend(piece.encode() if known is None else [known])
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids; bytes that are not UTF-8 become U+FFFD.

        Raises:
            InvalidRequestError: An id that is not in the vocabulary.
        """
        return b"".join(self.piece(number) for number in ids).decode(errors="replace")

    def piece(self, number: int) -> bytes:
        """The bytes of one token.

        Raises:
            InvalidRequestError: An id that is not in the vocabulary.
        """
        if not 0 <= number < len(self._bytes):
            raise InvalidRequestError(
                f"Token {number} is not in the vocabulary. This model's ids go from 0 to {len(self) - 1}.",
                param="tokens",
            )
        return self._bytes[number]

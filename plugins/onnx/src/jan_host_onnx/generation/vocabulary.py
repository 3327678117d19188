"""What generation needs to know of a model's vocabulary, beside its tokenizer."""

from collections.abc import Iterable
from collections.abc import Sequence as Items
from functools import cached_property

import numpy as np
import numpy.typing as npt
from jan_host import InvalidRequestError

from jan_host_onnx.tokenizer import TextTokenizer

_MOST_TAIL = 20
"""Tokens of a breaker behind its first at most, as in llama.cpp."""


class Vocabulary:
    """A tokenizer's tokens as a generation meets them.

    Args:
        tokenizer: The model's.
        size: For how many tokens the graph gives scores; more than the tokenizer has, where it is padded.
        ends: The tokens that end a generation.
    """

    def __init__(self, tokenizer: TextTokenizer, size: int, ends: Iterable[int]) -> None:
        self.tokenizer = tokenizer
        self.size = size
        self.ends = frozenset(token for token in ends if 0 <= token < size)
        self.end_ids: npt.NDArray[np.int32] = np.array(sorted(self.ends), np.int32)
        self.control = tokenizer.control
        self.piece = tokenizer.piece
        self.tokenize = tokenizer.tokenize
        self.detokenize = tokenizer.detokenize
        self._breakers: dict[str, dict[int, set[tuple[int, ...]]]] = {}

    def spelled(self, token: int) -> bytes:
        """The bytes of a token, control tokens written out."""
        added = self.tokenizer.added.get(token)
        return added.text.encode() if added is not None else self.piece(token)

    def start(self) -> list[int]:
        """What an empty prompt becomes: generation needs one token to go on from.

        Raises:
            InvalidRequestError: The model has no token for a beginning.
        """
        before, _ = self.tokenizer.frame
        token = before[:1] or self.end_ids[:1].tolist()
        if not token:
            raise InvalidRequestError("This model can't go on from nothing. Send a prompt.", param="prompt")
        return list(token)

    def breakers(self, texts: Items[str]) -> dict[int, list[tuple[int, ...]]]:
        """The tokens with which `texts` may begin, and the tokens that must follow for them to be whole.

        As llama.cpp's ``get_overlapping_token_sequences``. It looks through the whole vocabulary once for
        each text: too long for the event loop.
        """
        found: dict[int, set[tuple[int, ...]]] = {}
        for text in texts:
            if not text:
                continue
            if text not in self._breakers:
                self._breakers[text] = self._breaker(text)
            for token, tails in self._breakers[text].items():
                found.setdefault(token, set()).update(tails)
        return {token: sorted(tails) for token, tails in found.items()}

    def _breaker(self, text: str) -> dict[int, set[tuple[int, ...]]]:
        wanted = text.encode("utf-8", "replace")
        found: dict[int, set[tuple[int, ...]]] = {}
        for token, word in enumerate(self._words):
            if wanted in word:
                found[token] = {()}
                continue
            for size in range(1, min(len(word), len(wanted) - 1) + 1):
                if word.endswith(wanted[:size]):
                    rest = self.tokenizer.tokenize(wanted[size:].decode("utf-8", "replace"))
                    found.setdefault(token, set()).add(tuple(rest[:_MOST_TAIL]))
        return found

    @cached_property
    def _words(self) -> list[bytes]:
        return [self.spelled(token) for token in range(min(self.size, self.tokenizer.largest + 1))]

"""Texts of requests become tokens, and those that are too long are refused or cut."""

import asyncio
from collections.abc import Sequence
from typing import Final

from jan_host import ModelLoadError
from jan_host.kit.batching import Tokens
from jan_host.kit.vectors import check_size

from jan_host_onnx.tokenizer import TextTokenizer

_INLINE_CHARACTERS: Final = 4096
"""What is tokenized on the event loop: in less time than another thread takes to begin."""
_CHARACTERS: Final = 16
"""Of a token, more than enough: so much of a text is looked at where its end is cut off anyway."""


class TextReader:
    """Reads texts with a model's tokenizer and its longest text.

    Args:
        tokenizer: The model's.
        length: Tokens that the model reads at most, those around a text included.
    """

    def __init__(self, tokenizer: TextTokenizer, length: int) -> None:
        self.tokenizer = tokenizer
        self.length = length

    async def read(self, texts: Sequence[str | Sequence[int]], *, cut: bool) -> list[Tokens]:
        """Each text or list of token ids as the model reads it.

        Raises:
            ContextLengthExceededError: One is too long, and `cut` is false.
            InvalidRequestError: A token id that there is not, or a text without a token.
        """
        size = sum(map(len, texts))
        if size <= _INLINE_CHARACTERS:
            return self._read(texts, cut)
        return await asyncio.to_thread(self._read, texts, cut)

    async def read_pairs(self, query: str, documents: Sequence[str], *, cut: bool) -> list[Tokens]:
        """The query with each document, as the model reads pairs; errors as in `read`."""
        size = sum(map(len, documents)) + len(query) * len(documents)
        if size <= _INLINE_CHARACTERS:
            return self._read_pairs(query, documents, cut)
        return await asyncio.to_thread(self._read_pairs, query, documents, cut)

    def _read(self, texts: Sequence[str | Sequence[int]], cut: bool) -> list[Tokens]:
        if cut:
            texts = [self._shortened(text) if isinstance(text, str) else text for text in texts]
        written = [text for text in texts if isinstance(text, str)]
        encodings = iter(self.tokenizer.encode(written))
        found = []
        for index, text in enumerate(texts):
            if isinstance(text, str):
                encoding = next(encodings)
                if len(encoding.ids) > self.length and cut:
                    encoding = self.tokenizer.cut(text, self.length)
                tokens = Tokens(encoding.ids, encoding.type_ids)
            else:
                tokens = self._framed(text, cut)
            found.append(self._checked(tokens, f"input[{index}]", f"Input {index}"))
        return found

    def _framed(self, ids: Sequence[int], cut: bool) -> Tokens:
        framed = self.tokenizer.framed(ids)
        if cut and len(framed) > self.length:
            behind = self.tokenizer.frame[1]
            framed = framed[: self.length - len(behind)] + behind
        return Tokens(framed, [0] * len(framed))

    def _read_pairs(self, query: str, documents: Sequence[str], cut: bool) -> list[Tokens]:
        if cut:
            query, documents = self._shortened(query), [self._shortened(text) for text in documents]
        elif len(query) > self.length:  # else a long one would be read again with each document
            check_size(len(self.tokenizer.tokenize(query)), self.length, "query", "The query")
        found = []
        for index, encoding in enumerate(self.tokenizer.encode_pairs([(query, text) for text in documents])):
            if len(encoding.ids) > self.length and cut:
                encoding = self.tokenizer.cut((query, documents[index]), self.length)  # noqa: PLW2901  # the same text, cut
            tokens = Tokens(encoding.ids, encoding.type_ids)
            found.append(self._checked(tokens, f"documents[{index}]", f"The query with document {index}"))
        return found

    def _checked(self, tokens: Tokens, param: str, what: str) -> Tokens:
        check_size(len(tokens.ids), self.length, param, what)
        return tokens

    def _shortened(self, text: str) -> str:
        """The text without what is cut off in any case: its end, far behind the last token that is read."""
        size = self.length * _CHARACTERS
        while size < len(text):
            if len(self.tokenizer.tokenize(text[:size])) >= 2 * self.length:
                return text[:size]
            size *= 4
        return text


def longest_text(trained: int | None, positions: int | None, wanted: int | None) -> int:
    """Tokens that a model reads at most.

    Args:
        trained: What its files say.
        positions: How many positions its graph has; ``None`` when it does not tell.
        wanted: The setting ``ctx_len``.

    Raises:
        ModelLoadError: More is wanted than the graph has positions for.
    """
    if wanted and positions and wanted > positions:
        raise ModelLoadError(
            f"ctx_len is {wanted}, and the model has positions for {positions} tokens. Set less.",
            param="settings.ctx_len",
        )
    return wanted or min(trained or positions or _UNKNOWN_LENGTH, positions or 2**31)


_UNKNOWN_LENGTH: Final = 512
"""Where nothing tells: what nearly every encoder can read."""

"""Texts of requests become tokens, and those that are too long are refused or cut."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from jan_host.kit.batching import Tokens
from jan_host.kit.generation import check_ids
from jan_host.kit.segments import ControlTokens
from jan_host.kit.vectors import check_size

from jan_host_llamacpp.prompts import segment_ids
from jan_host_llamacpp.vocab import Vocab

T = TypeVar("T")

_INLINE_CHARACTERS: Final = 4096
"""What is tokenized on the event loop: in less time than another thread takes to begin."""
_PLACES: Final = re.compile(r"\{(query|document)\}")


class TextReader:
    """Reads texts as a model wants them.

    Args:
        vocab: The model's vocabulary.
        length: Tokens that the model reads at most, those around a text included.
        template: What a reranker's file says to write around ``{query}`` and ``{document}``, if it does.
    """

    def __init__(self, vocab: Vocab, length: int, template: str | None = None) -> None:
        self.length = length
        self._vocab = vocab
        self._template = template
        framed = vocab.tokenize("", special=True)
        self._before = framed[:1] if vocab.adds_bos and framed[:1] == [vocab.bos] else []
        self._behind = framed[len(self._before) :]

    async def read(self, texts: Sequence[str | Sequence[int]], *, cut: bool) -> list[Tokens]:
        """Each text or list of token ids as the model reads it.

        Raises:
            ContextLengthExceededError: One is too long, and `cut` is false.
            InvalidRequestError: A token id that there is not, or a text without a token.
        """
        return await _aside(sum(map(len, texts)), lambda: self._read(texts, cut))

    async def read_pairs(self, query: str, documents: Sequence[str], *, cut: bool) -> list[Tokens]:
        """The query with each document, as the model reads pairs; errors as in `read`."""
        size = sum(map(len, documents)) + len(query) * len(documents)
        return await _aside(size, lambda: self._read_pairs(query, documents, cut))

    def _read(self, texts: Sequence[str | Sequence[int]], cut: bool) -> list[Tokens]:
        found = []
        for index, text in enumerate(texts):
            if isinstance(text, str):
                ids = self._vocab.tokenize(text)
            else:
                check_ids(text, self._vocab.size, "input")
                ids = self._bare(text)
            room = self.length - len(self._before) - len(self._behind)
            framed = [*self._before, *(ids[:room] if cut else ids), *self._behind]
            check_size(len(framed), self.length, f"input[{index}]", f"Input {index}")
            found.append(_tokens(framed))
        return found

    def _bare(self, ids: Sequence[int]) -> list[int]:
        """Ids that a client sent, without what the model wants around them, if they have that already."""
        bare = list(ids)
        size = len(self._before) + len(self._behind)
        if len(bare) < size or not size:
            return bare
        starts = bare[: len(self._before)] == self._before
        ends = bare[len(bare) - len(self._behind) :] == self._behind
        return bare[len(self._before) : len(bare) - len(self._behind)] if starts and ends else bare

    def _read_pairs(self, query: str, documents: Sequence[str], cut: bool) -> list[Tokens]:
        found = []
        for index, document in enumerate(documents):
            ids = self._pair(query, document)
            over = len(ids) - self.length
            if over > 0 and cut:
                kept = self._vocab.tokenize(document)
                while over > 0 and kept:  # once, but for tokens that merge differently where it was cut
                    kept = kept[: max(0, len(kept) - over)]
                    ids = self._pair(query, self._vocab.detokenize(kept))
                    over = len(ids) - self.length
            check_size(len(ids), self.length, f"documents[{index}]", f"The query with document {index}")
            found.append(_tokens(ids))
        return found

    def _pair(self, query: str, document: str) -> list[int]:
        if self._template is not None:
            return self._by_template(self._template, query, document)
        vocab = self._vocab
        between = [vocab.eos] if vocab.adds_eos else []
        between += [vocab.sep] if vocab.adds_sep else []
        return [
            *self._before,
            *vocab.tokenize(query),
            *(between or self._behind),
            *vocab.tokenize(document),
            *self._behind,
        ]

    def _by_template(self, template: str, query: str, document: str) -> list[int]:
        control = ControlTokens(self._vocab.control)
        marker = control.marker([query, document], template)
        values = {"query": control.mark(query, marker), "document": control.mark(document, marker)}
        rendered = _PLACES.sub(lambda place: values[place[1]], template)
        ids = segment_ids(control.split(rendered, marker), self._vocab)
        return ids if ids[: len(self._before)] == self._before else [*self._before, *ids]


def _tokens(ids: Sequence[int]) -> Tokens:
    return Tokens(ids, ())


async def _aside(size: int, work: Callable[[], T]) -> T:
    """The result of `work`, on another thread when there is much to do."""
    return work() if size <= _INLINE_CHARACTERS else await asyncio.to_thread(work)

"""A model's vocabulary as llguidance sees it: the bytes of each token, and which tokens are no text."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jan_host.contract.errors import UnsupportedError

if TYPE_CHECKING:
    from llguidance import LLTokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTable:
    """What an engine tells of its model's vocabulary."""

    size: int
    """How many tokens the model gives scores for."""
    ends: Collection[int]
    """The tokens that end a generation."""
    special: Mapping[str, int]
    """Control tokens by their text: no text matches them, and a Lark grammar may name them."""
    spelled: Callable[[int], bytes]
    """The bytes of a token, control tokens written out."""
    tokenize: Callable[[str], list[int]]
    """The tokens of a text, as the model knows it: what is forced is written with them. Thread-safe."""


def read_vocabulary(table: TokenTable) -> "LLTokenizer":
    """llguidance's own form of a vocabulary; takes a second for a large one, so do it once, on a thread.

    Raises:
        UnsupportedError: The model never ends a text.
    """
    from llguidance import LLTokenizer

    ends = sorted(table.ends)
    if not ends:
        raise UnsupportedError("This model has no token that ends a text: its text can't be held to a form.")
    wrapper: Any = _Wrapper(table, ends[0])
    return LLTokenizer(wrapper, n_vocab=table.size, eos_token=ends)


class _Wrapper:
    """The attributes that llguidance reads off a tokenizer written in Python."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, table: TokenTable, end: int) -> None:
        self.eos_token_id = end
        self.tokens = [table.spelled(token) for token in range(table.size)]
        self.special_token_ids = sorted({*table.special.values(), *table.ends})
        self._tokenize = table.tokenize
        special = set(self.special_token_ids)
        self._ids = {data: token for token, data in enumerate(self.tokens) if data and token not in special}
        self._longest = max(map(len, self._ids), default=1)

    def __call__(self, text: str) -> list[int]:
        """The tokens whose bytes are exactly those of `text`.

        A tokenizer may add something, such as a space before the first word: then the longest tokens that
        fit are taken, one after the other.
        """
        wanted = text.encode("utf-8", "replace")
        ids = self._tokenize(text)
        if b"".join(self.tokens[token] for token in ids) == wanted:
            return ids
        return self._longest_first(wanted)

    def _longest_first(self, wanted: bytes) -> list[int]:
        ids: list[int] = []
        at = 0
        while at < len(wanted):
            for length in range(min(self._longest, len(wanted) - at), 0, -1):
                token = self._ids.get(wanted[at : at + length])
                if token is not None:
                    ids.append(token)
                    at += length
                    break
            else:
                break  # no token has this byte, so the model can't write on
        return ids

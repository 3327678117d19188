"""A model's vocabulary: text to token ids and back."""

import ctypes
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
from jan_host import InvalidRequestError
from jan_host.kit.generation import check_ids, check_text


class Filling(NamedTuple):
    """The tokens before the beginning, the end and the gap of a text ("fill in the middle")."""

    prefix: int
    suffix: int
    middle: int

    @classmethod
    def of(cls, pointer: Any) -> "Filling | None":
        """Those of a vocabulary; ``None`` unless it has all three."""
        found = cls(
            lib.llama_vocab_fim_pre(pointer),
            lib.llama_vocab_fim_suf(pointer),
            lib.llama_vocab_fim_mid(pointer),
        )
        return found if min(found) >= 0 else None


class Vocab:
    """Thread-safe, but for the piece cache, whose worst race is to look a piece up twice.

    Args:
        pointer: llama.cpp's vocabulary; it lives as long as its model.
    """

    def __init__(self, pointer: Any) -> None:
        self.pointer = pointer
        self.size: int = lib.llama_vocab_n_tokens(pointer)
        self.bos: int = lib.llama_vocab_bos(pointer)
        self.eos: int = lib.llama_vocab_eos(pointer)
        self.adds_bos = bool(lib.llama_vocab_get_add_bos(pointer)) and self.bos >= 0
        self.sep: int = lib.llama_vocab_sep(pointer)
        self.adds_eos = bool(lib.llama_vocab_get_add_eos(pointer)) and self.eos >= 0
        self.adds_sep = bool(lib.llama_vocab_get_add_sep(pointer)) and self.sep >= 0
        self.filling = Filling.of(pointer)
        """What surrounds the parts of a text with a gap; ``None``: the model was not trained for that."""
        self._pieces: list[bytes | None] = [None] * self.size

    @cached_property
    def control(self) -> dict[str, int]:
        """The control tokens: what a template may write and a user's text may not."""
        return {
            self._name(token): token
            for token in range(self.size)
            if lib.llama_vocab_is_control(self.pointer, token)
        }

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a generation."""
        found = (t for t in range(self.size) if lib.llama_vocab_is_eog(self.pointer, t))
        return frozenset(found)

    @cached_property
    def end_ids(self) -> npt.NDArray[np.int32]:
        """`ends` as an array."""
        return np.array(sorted(self.ends), np.int32)

    def text_of(self, token: int) -> str:
        """A control token's text, or ``""`` when the model has no such token (below 0)."""
        return self._name(token) if token >= 0 else ""

    def attributes(self, token: int) -> int:
        """llama.cpp's flags of a token."""
        flags: int = lib.llama_vocab_get_attr(self.pointer, token)
        return flags

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """The ids of `text`, in which control tokens are not recognised.

        Args:
            text: Any text; lone surrogates become ``?``.
            special: Add what the model wants around a prompt (BOS, EOS).

        Raises:
            InvalidRequestError: The text is too long.
        """
        check_text(text)
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        buffer = (ctypes.c_int32 * room)()
        count = lib.llama_tokenize(self.pointer, data, len(data), buffer, room, special, False)
        if count < 0 and -count > room:
            buffer = (ctypes.c_int32 * -count)()
            count = lib.llama_tokenize(self.pointer, data, len(data), buffer, -count, special, False)
        if count < 0:
            raise InvalidRequestError("The text can't be turned into tokens: it is too long. Send less.")
        return buffer[:count]

    def piece(self, token: int) -> bytes:
        """The bytes that a generated token adds to the text; control tokens add none."""
        known = self._pieces[token]
        if known is None:
            known = self._pieces[token] = self._read_piece(token, special=False)
        return known

    def spelled(self, token: int) -> bytes:
        """The bytes of a token, control tokens written out."""
        return self._read_piece(token, special=True)

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`, control tokens written out.

        Raises:
            InvalidRequestError: An id that the vocabulary does not have.
        """
        check_ids(tokens, self.size, "tokens")
        ids = (ctypes.c_int32 * len(tokens))(*tokens)
        room = 16 * len(tokens) + 16
        while True:
            buffer = ctypes.create_string_buffer(room)
            size = lib.llama_detokenize(self.pointer, ids, len(tokens), buffer, room, False, True)
            if size >= 0:
                return buffer.raw[:size].decode("utf-8", "replace")
            room = -size

    def _name(self, token: int) -> str:
        text: bytes | None = lib.llama_vocab_get_text(self.pointer, token)
        return (text or b"").decode("utf-8", "replace")

    def _read_piece(self, token: int, *, special: bool) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            size = lib.llama_token_to_piece(self.pointer, token, buffer, room, 0, special)
            if size >= 0:
                return buffer.raw[:size]
            room = -size

"""The KV cache behind one small interface: two layouts, each better somewhere.

Measured with SmolLM2 on two cores (llama-cpp-python 0.3.36). A stream per sequence: a token attends to
the cells of its own sequence alone, and results do not depend on the others; a prefix is shared by
copying its cells. The unified buffer: a prefix is shared for nothing, sequences of any numbers and
lengths are computed together; every token passes over the cells of all, those of finished sequences
included, and where its own cells lie among them changes how sums are rounded.
"""

import ctypes
from abc import ABC, abstractmethod
from typing import Any

import llama_cpp.llama_cpp as lib

from jan_host_llamacpp.native import NativeContext


class KvCache(ABC):
    """What the sequences of a context hold. Sequences are numbers from 0; `length` is in tokens.

    Args:
        context: The context; only its compute thread may call these methods.
        sequences: How many sequences it has.
        cuttable: Whether a sequence can be cut at a token; recurrent models can't.
    """

    share_minimum: int
    """Tokens from which on sharing costs less than computing."""
    wants_neighbours: bool
    """Whether sequences are computed together only when their numbers follow each other."""

    def __init__(self, context: NativeContext, sequences: int, *, cuttable: bool) -> None:
        self.sequences = sequences
        self.cuttable = cuttable
        self._memory = context.memory

    @abstractmethod
    def share(self, length: int, source: int, target: int) -> int:
        """Let `target`, whatever it held, hold the first `length` tokens of `source`.

        Returns:
            The tokens that `target` holds now: `length`, or 0 when it was not possible.
        """

    def swap(self, one: int, other: int) -> bool:
        """Exchange what two sequences hold; false when it failed, and then both hold nothing."""
        raise NotImplementedError  # only where `wants_neighbours` does anyone ask for it

    def trim(self, sequence: int, length: int) -> int:
        """Cut a sequence after `length` tokens.

        Returns:
            The tokens it holds now: `length`, or 0 when it could not be cut and was dropped.
        """
        self._check(sequence)
        if length > 0 and lib.llama_memory_seq_rm(self._memory, sequence, length, -1):
            return length
        self.drop(sequence)
        return 0

    def drop(self, sequence: int) -> None:
        """Forget a whole sequence."""
        self._check(sequence)
        lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _check(self, *sequences: int) -> None:
        if not all(0 <= sequence < self.sequences for sequence in sequences):
            raise ValueError(f"no such sequence: {sequences}")  # llama.cpp would end the process


class StreamKv(KvCache):
    """A stream of cells for each sequence; what others do never changes a result, to the last bit."""

    share_minimum = 8
    wants_neighbours = True

    def __init__(self, context: NativeContext, sequences: int, *, cuttable: bool) -> None:
        super().__init__(context, sequences, cuttable=cuttable)
        self._context = context.pointer
        self._buffers = [_Buffer(), _Buffer()]

    def share(self, length: int, source: int, target: int) -> int:
        """Copy the cells that the source uses, and cut the copy.

        ``llama_memory_seq_cp`` would copy the whole stream, used or not: 50 ms and more where this
        takes 2 ms (300 tokens of a small model, streams of 4096).
        """
        self._check(source, target)
        buffer = self._buffers[0]
        buffer.read(self._context, source)
        self.drop(target)
        return self.trim(target, length) if buffer.write(self._context, target) else 0

    def swap(self, one: int, other: int) -> bool:
        """Copy the cells of both out and back."""
        self._check(one, other)
        numbers = (one, other)
        for buffer, number in zip(self._buffers, numbers, strict=True):
            buffer.read(self._context, number)
            self.drop(number)
        pairs = zip(self._buffers, reversed(numbers), strict=True)
        if all(buffer.write(self._context, number) for buffer, number in pairs):
            return True
        for number in numbers:
            self.drop(number)
        return False


class _Buffer:
    """Room for the cells of one sequence, which grows to the largest."""

    def __init__(self) -> None:
        self._data = ctypes.create_string_buffer(1)
        self._size = 0

    def read(self, context: Any, sequence: int) -> None:
        """Take a copy of a sequence's cells."""
        size = lib.llama_state_seq_get_size(context, sequence)
        if size > len(self._data):
            self._data = ctypes.create_string_buffer(size)
        self._size = lib.llama_state_seq_get_data(context, self._place(), size, sequence)

    def write(self, context: Any, sequence: int) -> bool:
        """Make the copy the cells of another sequence."""
        return bool(self._size) and bool(
            lib.llama_state_seq_set_data(context, self._place(), self._size, sequence)
        )

    def _place(self) -> Any:
        return ctypes.cast(self._data, ctypes.POINTER(ctypes.c_uint8))


class UnifiedKv(KvCache):
    """One buffer; a cell may belong to several sequences."""

    share_minimum = 1
    wants_neighbours = False

    def share(self, length: int, source: int, target: int) -> int:
        """Mark the cells of the prefix as the target's too."""
        self._check(source, target)
        self.drop(target)
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)
        return length

"""The KV cache behind one small interface: two layouts, each better somewhere.

Measured with SmolLM2 on two cores (llama-cpp-python 0.3.36). A stream per sequence: a token attends to
the cells of its own sequence alone, and results do not depend on the others; a prefix is shared by
copying its cells. The unified buffer: a prefix is shared for nothing, sequences of any numbers and
lengths are computed together; every token passes over the cells of all, those of finished sequences
included, and where its own cells lie among them changes how sums are rounded.
"""

from abc import ABC, abstractmethod

import llama_cpp.llama_cpp as lib

from jan_host_llamacpp.cells import CellCopy
from jan_host_llamacpp.native import NativeContext

_COPY_SHARE = 64
"""To copy so many tokens there and back takes less time than to compute one.

Measured with SmolLM2 on two cores: 20 us against 3 ms. A larger model computes more for each byte."""


class KvCache(ABC):
    """What the sequences of a context hold. Sequences are numbers from 0; `length` is in tokens.

    Args:
        context: The context; only its compute thread may call these methods.
        sequences: How many sequences it has.
        cuttable: Whether a sequence can be cut at a token; recurrent models can't.
        window: The tokens of a sliding window, where llama.cpp gives up the cells behind it; 0: it keeps all.
    """

    wants_neighbours: bool
    """Whether sequences are computed together only when their numbers follow each other."""
    shares_freely: bool
    """Whether sequences can hold the same cells, so that a prefix is shared without a copy."""

    def __init__(self, context: NativeContext, sequences: int, *, cuttable: bool, window: int = 0) -> None:
        self.sequences = sequences
        self.cuts_anywhere = cuttable and not window
        """Whether every sequence can be cut at every token."""
        self._cuttable = cuttable
        self._window = window
        self._context = context.pointer
        self._memory = context.memory

    @property
    @abstractmethod
    def cells(self) -> int | None:
        """Tokens that all sequences can hold together; ``None``: each can always hold a whole context."""

    @abstractmethod
    def pays(self, length: int, held: int) -> bool:
        """Whether sharing `length` of the `held` tokens of a sequence is quicker than computing them."""

    @abstractmethod
    def share(self, length: int, source: int, target: int) -> int:
        """Let `target`, whatever it held, hold the first `length` tokens of `source`.

        Returns:
            The tokens that `target` holds now: `length`, or 0 when it was not possible.
        """

    def swap(self, one: int, other: int) -> bool:
        """Exchange what two sequences hold; false when it failed, and then both hold nothing."""
        raise NotImplementedError  # only where `wants_neighbours` does anyone ask for it

    def save(self, sequence: int, most: int) -> CellCopy | None:
        """A copy of a sequence in RAM; ``None`` when it has more than `most` bytes, or there is no room."""
        self._check(sequence)
        if lib.llama_state_seq_get_size(self._context, sequence) > most:
            return None
        copy = CellCopy()
        try:
            return copy if copy.read(self._context, sequence) else None
        except MemoryError:
            return None

    def restore(self, length: int, copy: CellCopy, target: int) -> int:
        """Let `target`, whatever it held, hold the first `length` tokens of a copy; as `share`."""
        self.drop(target)
        return self.trim(target, length) if copy.write(self._context, target) else 0

    def shortest(self, sequence: int) -> int:
        """The fewest tokens, beside none, that a sequence can be cut to.

        A recurrent state can't be turned back. Of a sliding window, the cells before the cut must still be
        there: a token attends to the window before it.
        """
        self._check(sequence)
        if self.cuts_anywhere:
            return 0
        if not self._cuttable:
            return int(lib.llama_memory_seq_pos_max(self._memory, sequence)) + 1
        first = int(lib.llama_memory_seq_pos_min(self._memory, sequence))
        return first + self._window if first > 0 else 0

    def trim(self, sequence: int, length: int) -> int:
        """Cut a sequence after `length` tokens.

        Returns:
            The tokens it holds now: `length`, or 0 when it could not be cut and was dropped.
        """
        whole = int(lib.llama_memory_seq_pos_max(self._memory, sequence)) + 1
        possible = length == whole or self.shortest(sequence) <= length < whole
        if length > 0 and possible and lib.llama_memory_seq_rm(self._memory, sequence, length, -1):
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

    wants_neighbours = True
    shares_freely = False
    cells = None

    def __init__(self, context: NativeContext, sequences: int, *, cuttable: bool, window: int = 0) -> None:
        super().__init__(context, sequences, cuttable=cuttable, window=window)
        self._copies = (CellCopy(), CellCopy())

    def pays(self, length: int, held: int) -> bool:
        """Not for a few tokens: a copy takes time with all that the source holds."""
        return length >= max(8, held // _COPY_SHARE)

    def share(self, length: int, source: int, target: int) -> int:
        """Copy the cells that the source uses, and cut the copy.

        ``llama_memory_seq_cp`` would copy the whole stream, used or not: 50 ms and more where this
        takes 2 ms (300 tokens of a small model, streams of 4096).
        """
        self._check(source, target)
        copy = self._copies[0]
        if not copy.read(self._context, source):
            self.drop(target)
            return 0
        return self.restore(length, copy, target)

    def swap(self, one: int, other: int) -> bool:
        """Copy the cells of both out and back."""
        self._check(one, other)
        numbers = (one, other)
        for copy, number in zip(self._copies, numbers, strict=True):
            copy.read(self._context, number)
            self.drop(number)
        pairs = zip(self._copies, reversed(numbers), strict=True)
        if all(copy.write(self._context, number) for copy, number in pairs):
            return True
        for number in numbers:
            self.drop(number)
        return False


class UnifiedKv(KvCache):
    """One buffer; a cell may belong to several sequences."""

    wants_neighbours = False
    shares_freely = True

    def __init__(self, context: NativeContext, sequences: int, *, cuttable: bool, window: int = 0) -> None:
        super().__init__(context, sequences, cuttable=cuttable, window=window)
        self._cells = context.cells

    @property
    def cells(self) -> int | None:
        """All of the buffer's."""
        return self._cells

    def pays(self, length: int, held: int) -> bool:
        """Always: nothing is copied."""
        return length > 0

    def share(self, length: int, source: int, target: int) -> int:
        """Mark the cells of the prefix as the target's too."""
        self._check(source, target)
        self.drop(target)
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)
        return length

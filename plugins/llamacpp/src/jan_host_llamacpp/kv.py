"""The KV cache behind one small interface: two layouts, each better somewhere.

Measured with SmolLM2 on two cores (llama-cpp-python 0.3.36): with a stream per sequence a token
attends to the cells of its own sequence alone, and a prefix is shared by copying the stream; in
the unified buffer a prefix is shared for nothing, and every token passes over the cells of all.
"""

from abc import ABC, abstractmethod

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
    def share(self, length: int, source: int, target: int) -> None:
        """Let `target`, whatever it held, hold the first `length` tokens of `source`."""

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
    """A stream of cells for each sequence."""

    share_minimum = 32
    wants_neighbours = True

    def share(self, length: int, source: int, target: int) -> None:
        """Copy the whole stream and cut the copy: a partial copy would end the process."""
        self._check(source, target)
        self.drop(target)
        lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        lib.llama_memory_seq_rm(self._memory, target, length, -1)


class UnifiedKv(KvCache):
    """One buffer; a cell may belong to several sequences."""

    share_minimum = 1
    wants_neighbours = False

    def share(self, length: int, source: int, target: int) -> None:
        """Mark the cells of the prefix as the target's too."""
        self._check(source, target)
        self.drop(target)
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

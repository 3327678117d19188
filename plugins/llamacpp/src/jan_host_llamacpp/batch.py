"""The one batch of a context, filled anew at every step."""

import ctypes
from typing import Any, Protocol

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt


class Fills(Protocol):
    """What goes through a model at once."""

    struct: Any
    """A ``llama_batch``."""


class Batch:
    """A `llama_batch` over NumPy arrays: a chunk of tokens is copied in by one slice assignment.

    Args:
        capacity: Tokens that it can hold; at most the context's ``n_batch``.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._tokens = np.zeros(capacity, np.int32)
        self._positions = np.zeros(capacity, np.int32)
        self._sequences = np.zeros(capacity, np.int32)
        self._outputs = np.zeros(capacity, np.int8)
        self._counts = np.ones(capacity, np.int32)  # each token belongs to one sequence
        self._steps = np.arange(capacity, dtype=np.int32)
        first = self._sequences.ctypes.data
        self._sequence_pointers = (first + 4 * np.arange(capacity)).astype(np.uintp)
        self.struct = lib.llama_batch(
            n_tokens=0,
            token=_pointer(self._tokens, ctypes.c_int32),
            pos=_pointer(self._positions, ctypes.c_int32),
            n_seq_id=_pointer(self._counts, ctypes.c_int32),
            seq_id=_pointer(self._sequence_pointers, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._outputs, ctypes.c_int8),
        )

    @property
    def size(self) -> int:
        """Tokens in it now."""
        return int(self.struct.n_tokens)

    def clear(self) -> None:
        """Forget all tokens."""
        self.struct.n_tokens = 0

    def add(self, sequence: int, tokens: npt.NDArray[np.int32], position: int, outputs: int) -> int:
        """Append tokens of one sequence.

        Args:
            sequence: The sequence's number in the context.
            tokens: The token ids; they must fit.
            position: The position of the first one in its sequence.
            outputs: Behind how many of the last ones the logits are wanted.

        Returns:
            The index of the last token in the batch, under which its logits are found.
        """
        start = self.struct.n_tokens
        end = start + len(tokens)
        if end > self.capacity:
            raise ValueError(f"{end} tokens do not fit into a batch of {self.capacity}")
        self._tokens[start:end] = tokens
        self._positions[start:end] = self._steps[: end - start] + position
        self._sequences[start:end] = sequence
        self._outputs[start:end] = 0
        self._outputs[end - outputs : end] = 1
        self.struct.n_tokens = end
        return int(end - 1)


def _pointer(array: npt.NDArray[Any], kind: Any) -> Any:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))

"""Copies of a sequence's cells in RAM."""

import ctypes
from typing import Any

import llama_cpp.llama_cpp as lib


class CellCopy:
    """The cells of one sequence, as ``llama_state_seq_get_data`` writes them; empty at first."""

    def __init__(self) -> None:
        self._data = ctypes.create_string_buffer(1)
        self.size = 0
        """Bytes."""

    def read(self, context: Any, sequence: int) -> bool:
        """Copy a sequence's cells; false when llama.cpp could not. The room grows, and stays."""
        size = lib.llama_state_seq_get_size(context, sequence)
        if size > len(self._data):
            self._data = ctypes.create_string_buffer(size)
        self.size = lib.llama_state_seq_get_data(context, self._place(), size, sequence)
        return self.size > 0

    def write(self, context: Any, sequence: int) -> bool:
        """Make the copy the cells of another sequence, which holds none; false: there are not enough."""
        return bool(self.size) and bool(
            lib.llama_state_seq_set_data(context, self._place(), self.size, sequence)
        )

    def _place(self) -> Any:
        return ctypes.cast(self._data, ctypes.POINTER(ctypes.c_uint8))

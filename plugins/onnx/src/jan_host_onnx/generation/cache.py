"""The KV cache of some sequences, as the tensors that the graph takes and gives.

Sequences of different lengths lie in one tensor as rows. Where the graph joins the new tokens to the old
ones, each row ends at the tensor's end, and what stands before it is masked. Where GroupQueryAttention
writes in place, each row begins at the tensor's beginning, and its length says where it ends.
"""

import ctypes
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnxruntime import OrtValue

from jan_host_onnx.generation.signature import CacheTensor, Signature

_NUMPY: Final = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}
_BFLOAT16: Final = 16
"""``TensorProto.BFLOAT16`` of onnx.proto."""
_GROWTH: Final = 128
"""Tokens of room at the end of a cache that is written in place, at least."""


class Cache:
    """The keys and values of one or more sequences.

    Args:
        values: A tensor for each of the signature's, of one shape but for heads and width.
        lengths: How many tokens of each row are valid.
        in_place: Whether rows begin at the tensor's beginning and the graph writes behind them.
    """

    __slots__ = ("in_place", "lengths", "values")

    def __init__(self, values: list[OrtValue], lengths: list[int], *, in_place: bool) -> None:
        self.values = values
        self.lengths = lengths
        self.in_place = in_place

    @property
    def rows(self) -> int:
        """How many sequences."""
        return len(self.lengths)

    @property
    def span(self) -> int:
        """Tokens of the longest row."""
        return max(self.lengths)

    @property
    def capacity(self) -> int:
        """Tokens for which the tensors have room."""
        return int(self.values[0].shape()[2])

    def valid(self, row: int, length: int) -> slice:
        """Where the first `length` tokens of a row stand."""
        start = 0 if self.in_place else self.capacity - self.lengths[row]
        return slice(start, start + length)


@dataclass(frozen=True, slots=True)
class Place:
    """Where tensors live, in ONNX Runtime's words: ``cpu`` or ``cuda``, and which of several."""

    device: str = "cpu"
    device_id: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """The first tokens of a row of some cache."""

    cache: Cache
    row: int
    length: int


class CacheStore:
    """Makes caches: empty ones, and ones whose rows are copied from others.

    Args:
        signature: The graph's.
        place: Where the tensors live.
        in_place: See `Cache`.
    """

    def __init__(self, signature: Signature, place: Place, *, in_place: bool) -> None:
        self._tensors = signature.cache
        self._place = place
        self.in_place = in_place

    def empty(self, room: int = 0) -> Cache:
        """One sequence without tokens.

        Args:
            room: Tokens that will come next.
        """
        size = room + _GROWTH if self.in_place else 0
        values = [
            self._value(np.zeros((1, t.heads, size, t.width), _NUMPY[t.dtype]), t) for t in self._tensors
        ]
        return Cache(values, [0], in_place=self.in_place)

    def gather(self, pieces: Items[Piece], room: int = 1) -> Cache:
        """A cache whose rows are copies of `pieces`.

        Args:
            pieces: What each row begins with.
            room: Tokens that will come next.
        """
        lengths = [piece.length for piece in pieces]
        span = max(lengths)
        capacity = span + max(room, _GROWTH, span // 4) if self.in_place else span
        values = [self._joined(index, pieces, capacity) for index in range(len(self._tensors))]
        return Cache(values, lengths, in_place=self.in_place)

    def cut(self, cache: Cache, length: int) -> Cache:
        """A cache of one row, with its first tokens alone; the same one where it is written in place."""
        if cache.lengths == [length]:
            return cache
        if not self.in_place:
            return self.gather([Piece(cache, 0, length)])
        cache.lengths = [length]
        return cache

    def _joined(self, index: int, pieces: Items[Piece], capacity: int) -> OrtValue:
        tensor = self._tensors[index]
        # What no token fills is masked, and must be a number all the same.
        joined = _zeros(len(pieces), capacity, tensor)
        for row, piece in enumerate(pieces):
            start = 0 if self.in_place else capacity - piece.length
            source = _array(piece.cache.values[index], tensor)
            valid = piece.cache.valid(piece.row, piece.length)
            joined[row, :, start : start + piece.length] = source[piece.row, :, valid]
        return self._value(joined, tensor)

    def _value(self, array: npt.NDArray[Any], tensor: CacheTensor) -> OrtValue:
        if tensor.dtype == "bfloat16":
            return OrtValue.ortvalue_from_numpy_with_onnx_type(array, _BFLOAT16)
        return OrtValue.ortvalue_from_numpy(array, self._place.device, self._place.device_id)


def _zeros(rows: int, size: int, tensor: CacheTensor) -> npt.NDArray[Any]:
    return np.zeros((rows, tensor.heads, size, tensor.width), _NUMPY[tensor.dtype])


def _array(value: OrtValue, tensor: CacheTensor) -> npt.NDArray[Any]:
    """The tensor as an array: the same memory where it lives on the CPU, else a copy."""
    if tensor.dtype != "bfloat16":
        array: npt.NDArray[Any] = value.numpy()
        return array
    # NumPy has no such type; its bits are all that a copy needs.
    shape = tuple(value.shape())
    size = 2 * int(np.prod(shape))
    if size == 0:
        return np.empty(shape, np.uint16)
    memory = (ctypes.c_char * size).from_address(value.data_ptr())
    return np.frombuffer(memoryview(memory), np.uint16).reshape(shape)

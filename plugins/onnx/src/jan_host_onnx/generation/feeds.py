"""The small inputs of a run: token ids, mask, positions."""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnxruntime import OrtValue

from jan_host_onnx.generation.cache import Cache
from jan_host_onnx.generation.signature import Signature


class Feeds:
    """Makes the inputs of a graph that are not its KV cache.

    A value whose shape stays from one run to the next is the same object with other numbers in its memory,
    so that what is bound already need not be bound again.

    Args:
        signature: The graph's.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._kept: dict[str, tuple[npt.NDArray[Any], OrtValue]] = {}

    def fill(self, ids: npt.NDArray[np.int32], cache: Cache, scored: int) -> dict[str, OrtValue]:
        """The inputs by their names, good until the next call.

        Args:
            ids: ``[rows, tokens]``, the next ones of `cache`.
            cache: What was computed before.
            scored: For how many of the last tokens scores are wanted.
        """
        signature = self._signature
        lengths = np.array(cache.lengths)[:, None]
        made = {"input_ids": self._value("input_ids", ids, signature.ids_dtype)}
        if signature.mask_dtype is not None:
            mask = _mask(lengths, ids.shape[1], cache)
            made["attention_mask"] = self._value("attention_mask", mask, signature.mask_dtype)
        if signature.positions_dtype is not None:
            positions = lengths + np.arange(ids.shape[1])
            made["position_ids"] = self._value("position_ids", positions, signature.positions_dtype)
        if signature.merged:
            made["use_cache_branch"] = self._value("use_cache_branch", np.array([cache.span > 0]), "bool")
        if signature.keep_logits is not None:
            name, dtype, dimensions = signature.keep_logits
            made[name] = self._value(name, np.full((1,) * dimensions, scored), dtype)
        return made

    def _value(self, name: str, array: npt.NDArray[Any], dtype: str) -> OrtValue:
        known, value = self._kept.get(name, (None, None))
        if known is not None and value is not None and known.shape == array.shape:
            known[...] = array
            return value
        # The value holds the array, and shares its memory.
        fresh = np.array(array, dtype, order="C")
        self._kept[name] = fresh, OrtValue.ortvalue_from_numpy(fresh)
        return self._kept[name][1]


def _mask(lengths: npt.NDArray[np.int64], size: int, cache: Cache) -> npt.NDArray[np.bool_]:
    """True for every token that is there; the gaps of shorter rows are before them, or behind (in place)."""
    span = int(lengths.max()) + size
    columns = np.arange(span)[None]
    ends = lengths + size
    return columns < ends if cache.in_place else columns >= span - ends

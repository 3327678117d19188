"""One run of a decoder graph: token ids in, scores and a longer KV cache out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from jan_host.kit.batching import InterruptedRunError
from onnxruntime import OrtValue

from jan_host_onnx.faults import run_error
from jan_host_onnx.generation.cache import Cache, Place
from jan_host_onnx.generation.signature import Signature

Scores = npt.NDArray[np.float32]


class Runner:
    """Runs a graph; used by one thread, but for `interrupt`.

    Args:
        session: Holds the graph.
        signature: Its inputs and outputs.
        place: Where the KV cache lives.
    """

    def __init__(self, session: Any, signature: Signature, place: Place) -> None:
        self._session = session
        self._signature = signature
        self._place = place
        self._binding = session.io_binding()
        self._options = onnxruntime.RunOptions()

    def interrupt(self) -> None:
        """Make the run that is going on, or the next one, end early; callable from any thread."""
        self._options.terminate = True

    def run(self, ids: npt.NDArray[np.int32], cache: Cache) -> Scores:
        """Compute the next tokens of every row of `cache`, which grows by them.

        Args:
            ids: ``[rows, tokens]``; more than one token only for a single row.
            cache: What was computed before; one that is written in place must have room.

        Returns:
            ``[rows, vocabulary]``: the scores (logits) behind the last token of each row.

        Raises:
            InterruptedRunError: See `interrupt`; `cache` is as it was before.
            EngineError: The graph failed; `cache` is as it was before.
        """
        rows, size = ids.shape
        self._bind_inputs(ids, cache)
        self._bind_outputs(cache)
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
            if self._options.terminate:
                self._options.terminate = False
                raise InterruptedRunError from error
            raise run_error(error) from error
        logits, *presents = self._binding.get_outputs()
        if not cache.in_place:
            cache.values = presents
        cache.lengths = [length + size for length in cache.lengths]
        return self._scores(logits, rows)

    def _bind_inputs(self, ids: npt.NDArray[np.int32], cache: Cache) -> None:
        binding, signature = self._binding, self._signature
        binding.clear_binding_inputs()
        _bind(binding, "input_ids", ids.astype(signature.ids_dtype))
        lengths = np.array(cache.lengths)[:, None]
        if signature.mask_dtype is not None:
            _bind(binding, "attention_mask", _mask(lengths, ids.shape[1], cache).astype(signature.mask_dtype))
        if signature.positions_dtype is not None:
            positions = lengths + np.arange(ids.shape[1])
            _bind(binding, "position_ids", positions.astype(signature.positions_dtype))
        if signature.merged:
            _bind(binding, "use_cache_branch", np.array([cache.span > 0]))
        if signature.keep_logits is not None:
            name, dtype, dimensions = signature.keep_logits
            _bind(binding, name, np.ones((1,) * dimensions, dtype))
        for tensor, value in zip(signature.cache, cache.values, strict=True):
            binding.bind_ortvalue_input(tensor.past, value)

    def _bind_outputs(self, cache: Cache) -> None:
        binding = self._binding
        binding.clear_binding_outputs()
        binding.bind_output(self._signature.logits, "cpu")
        for tensor, value in zip(self._signature.cache, cache.values, strict=True):
            if cache.in_place:
                # The same memory as the input: GroupQueryAttention then writes the new tokens alone.
                binding.bind_ortvalue_output(tensor.present, value)
            else:
                binding.bind_output(tensor.present, self._place.device, self._place.device_id)

    def _scores(self, logits: OrtValue, rows: int) -> Scores:
        last = logits.numpy().reshape(rows, -1, logits.shape()[-1])[:, -1]
        return np.array(last, np.float32)


def _bind(binding: Any, name: str, array: npt.NDArray[Any]) -> None:
    # The binding holds the value, and the value the array.
    binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(np.asarray(array, order="C")))


def _mask(lengths: npt.NDArray[np.int64], size: int, cache: Cache) -> npt.NDArray[np.bool_]:
    """True for every token that is there; the gaps of shorter rows are before them, or behind (in place)."""
    span = int(lengths.max()) + size
    columns = np.arange(span)[None]
    ends = lengths + size
    return columns < ends if cache.in_place else columns >= span - ends

"""One run of a decoder graph: token ids in, scores and a longer KV cache out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from jan_host.kit.batching import InterruptedRunError
from onnxruntime import OrtValue

from jan_host_onnx.faults import run_error
from jan_host_onnx.generation.cache import Cache, Place
from jan_host_onnx.generation.feeds import Feeds
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
        self._feeds = Feeds(signature)
        self._binding = session.io_binding()
        self._bound: dict[str, OrtValue] = {}
        """What the binding has as inputs beside the KV cache."""
        self._bound_cache: list[OrtValue] | None = None
        """The KV cache that the binding has as inputs and outputs."""
        self._options = onnxruntime.RunOptions()

    def interrupt(self) -> None:
        """Make the run that is going on, or the next one, end early; callable from any thread."""
        self._options.terminate = True

    def run(self, ids: npt.NDArray[np.int32], cache: Cache, scored: int = 1) -> Scores:
        """Compute the next tokens of every row of `cache`, which grows by them.

        Args:
            ids: ``[rows, tokens]``; more than one token only for a single row.
            cache: What was computed before; one that is written in place must have room.
            scored: Behind how many of the last tokens scores are wanted; more than one only for a single row.

        Returns:
            ``[rows, vocabulary]`` or ``[scored, vocabulary]``: the scores (logits) behind the last tokens,
            which may be changed, and are good until the next run.

        Raises:
            InterruptedRunError: See `interrupt`; `cache` is as it was before.
            EngineError: The graph failed; `cache` is as it was before.
        """
        rows, size = ids.shape
        feeds = self._feeds.fill(ids, cache, scored)
        compute = self._in_place if cache.in_place else self._joined
        try:
            logits = compute(feeds, cache)
        except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
            if self._options.terminate:
                self._options.terminate = False
                raise InterruptedRunError from error
            raise run_error(error) from error
        cache.lengths = [length + size for length in cache.lengths]
        last = logits.reshape(rows, -1, logits.shape[-1])[:, -scored:]
        return np.asarray(last, np.float32).reshape(-1, last.shape[-1])

    def _in_place(self, feeds: dict[str, OrtValue], cache: Cache) -> npt.NDArray[Any]:
        """Run where cache is input and output: GroupQueryAttention then writes the new tokens alone.

        What stays from step to step stays bound: with 60 tensors, to bind them takes 0.3 ms.
        """
        binding = self._binding
        if self._bound_cache is not cache.values:
            self._bind_cache(cache)
        for name, value in feeds.items():
            if self._bound.get(name) is not value:
                binding.bind_ortvalue_input(name, value)
        self._bound = feeds
        binding.bind_output(self._signature.logits, "cpu")
        self._session.run_with_iobinding(binding, self._options)
        scores: npt.NDArray[Any] = binding.get_outputs_as_ortvaluevector()[0].numpy()
        return scores

    def _bind_cache(self, cache: Cache) -> None:
        self._unbind()
        self._binding.bind_output(self._signature.logits, "cpu")  # first, so that it is the first to be given
        for tensor, value in zip(self._signature.cache, cache.values, strict=True):
            self._binding.bind_ortvalue_input(tensor.past, value)
            self._binding.bind_ortvalue_output(tensor.present, value)
        self._bound_cache = cache.values

    def _unbind(self) -> None:
        self._binding.clear_binding_inputs()
        self._binding.clear_binding_outputs()
        self._bound, self._bound_cache = {}, None

    def _joined(self, feeds: dict[str, OrtValue], cache: Cache) -> npt.NDArray[Any]:
        """Run where the graph gives a new cache, of the old one and the new tokens."""
        tensors = self._signature.cache
        pasts = {tensor.past: value for tensor, value in zip(tensors, cache.values, strict=True)}
        names = [self._signature.logits, *[tensor.present for tensor in tensors]]
        if self._place.device == "cpu":
            logits, *cache.values = self._session.run_with_ort_values(names, feeds | pasts, self._options)
        else:
            logits, *cache.values = self._run_on_device(names, feeds | pasts)
        scores: npt.NDArray[Any] = logits.numpy()
        return scores

    def _run_on_device(self, names: list[str], inputs: dict[str, OrtValue]) -> list[OrtValue]:
        """All outputs, of which the first comes back from the device."""
        self._unbind()
        for name, value in inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        logits, *presents = names
        self._binding.bind_output(logits, "cpu")
        for name in presents:
            self._binding.bind_output(name, self._place.device, self._place.device_id)
        self._session.run_with_iobinding(self._binding, self._options)
        found: list[OrtValue] = self._binding.get_outputs()
        return found

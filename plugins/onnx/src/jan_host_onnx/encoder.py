"""A graph that reads whole texts: token ids in, one output out, texts of unequal length filled up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime
from jan_host import ModelLoadError
from jan_host.kit.batching import InterruptedRunError, Limits, Tokens

from jan_host_onnx.documents import read_object, whole_number
from jan_host_onnx.faults import run_error
from jan_host_onnx.graph import Graph, Value
from jan_host_onnx.layouts import Layout
from jan_host_onnx.sessions import open_session
from jan_host_onnx.settings import OnnxSettings

Array = npt.NDArray[Any]

CPU_TOKENS: Final = 512
"""Tokens of one run on a CPU. Measured: with more, the values between layers fall out of its caches."""
DEVICE_TOKENS: Final = 16384
MOST_TEXTS: Final = 64
_NUMBERS: Final[Mapping[str, type[np.generic]]] = {
    "int64": np.int64,
    "int32": np.int32,
    "float32": np.float32,
    "float16": np.float16,
    "bool": np.bool_,
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a graph gave for some texts."""

    output: Array
    """The first dimension counts the texts."""
    lengths: list[int]
    """Tokens of each text."""
    fills_left: bool
    """Whether short texts stand at the end of their rows."""


class Encoder:
    """Runs texts through a session. Called on one thread at a time.

    Args:
        layout: The model's files.
        settings: See `OnnxSettings`.
        output: The output to fetch.
        fills_left: Whether short texts are filled up in front.
    """

    def __init__(
        self, layout: Layout, settings: OnnxSettings, output: str, *, fills_left: bool = False
    ) -> None:
        self.session = open_session(layout.graph_path, settings)
        self._options = onnxruntime.RunOptions()
        self._inputs = layout.graph.inputs
        _check_inputs(layout.graph)
        self._output = output
        self._fills_left = fills_left
        config = read_object(layout.config)
        self._fill = whole_number(config.get("pad_token_id")) or 0
        self._types = whole_number(config.get("type_vocab_size")) or 2
        self.limits = _limits(self.session, layout.graph, settings)

    def close(self) -> None:
        """Give the memory back. Nothing is run any more."""
        del self.session

    def interrupt(self) -> None:
        """Make the run that is going on, or the next one, end early; callable from any thread."""
        self._options.terminate = True

    def run(self, texts: Sequence[Tokens]) -> Run:
        """The output for `texts`.

        Raises:
            InterruptedRunError: See `interrupt`.
            EngineError: The graph failed.
        """
        lengths = [len(text.ids) for text in texts]
        feeds = self._feeds(texts, lengths)
        try:
            output = self.session.run([self._output], feeds, self._options)[0]
        except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
            if self._options.terminate:
                self._options.terminate = False
                raise InterruptedRunError from error
            raise run_error(error) from error
        return Run(np.asarray(output), lengths, self._fills_left)

    def _feeds(self, texts: Sequence[Tokens], lengths: Sequence[int]) -> dict[str, Array]:
        shape = (len(texts), max(lengths))
        ids = np.full(shape, self._fill, np.int64)
        types = np.zeros(shape, np.int64)
        mask = np.zeros(shape, np.int64)
        for row, (text, length) in enumerate(zip(texts, lengths, strict=True)):
            place = slice(shape[1] - length, None) if self._fills_left else slice(length)
            ids[row, place] = text.ids
            mask[row, place] = 1
            if any(text.type_ids):
                types[row, place] = text.type_ids
        if self._types == 1:
            types[:] = 0
        values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        values["position_ids"] = np.maximum(mask.cumsum(axis=1) - 1, 0)
        return {value.name: _typed(values, value, shape[0]) for value in self._inputs}


def _typed(values: Mapping[str, Array], value: Value, count: int) -> Array:
    """What a graph's input gets, in its own number format; a cache of earlier tokens gets none."""
    kind = _NUMBERS.get(value.type, np.int64)
    known = values.get(value.name)
    if known is not None:
        return known.astype(kind, copy=False)
    if value.name == "use_cache_branch":
        return np.zeros(1, np.bool_)
    heads = [size for size in value.shape[1:] if isinstance(size, int)]
    return np.zeros((count, heads[0], 0, heads[-1]), kind)


def _check_inputs(graph: Graph) -> None:
    """A cache that is fed as empty must tell its shape: texts, heads, tokens, numbers of a head."""
    for value in graph.inputs:
        sizes = [size for size in value.shape[1:] if isinstance(size, int)]
        if value.name.startswith("past") and (len(value.shape) != 4 or len(sizes) != 2):
            raise ModelLoadError(
                f"The graph's input {value.name} does not tell its shape, so that it can't be left empty."
                " Export the model without a cache."
            )


def _limits(session: onnxruntime.InferenceSession, graph: Graph, settings: OnnxSettings) -> Limits:
    """How large runs may be.

    A graph that rounds activations finds its scale over the whole run, so that a vector would depend
    on its neighbours (measured with MiniLM: cosine 0.98 to the text alone): it gets one text at a time.
    """
    on_cpu = session.get_providers()[0] == "CPUExecutionProvider"
    tokens = settings.n_batch or (CPU_TOKENS if on_cpu else DEVICE_TOKENS)
    texts = settings.max_batch or (1 if graph.quantizes_activations else MOST_TEXTS)
    return Limits(texts=texts, tokens=tokens, queue=settings.max_queue)

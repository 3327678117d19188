"""A graph that reads whole texts: token ids in, one output out, texts of unequal length filled up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime
from jan_host import ModelLoadError
from jan_host.kit.batching import InterruptedRunError, Lane, Limits, Tokens

from jan_host_onnx.documents import read_object, whole_number
from jan_host_onnx.faults import run_error
from jan_host_onnx.graph import Graph, Value
from jan_host_onnx.layouts import Layout
from jan_host_onnx.providers import CPU
from jan_host_onnx.rounding import keeps_matrices_in_8_bits
from jan_host_onnx.sessions import open_session, thread_count
from jan_host_onnx.settings import OnnxSettings

Array = npt.NDArray[Any]
Result = TypeVar("Result")

CPU_TOKENS: Final = 512
"""Tokens of one run on a CPU. Measured: with more, the values between layers fall out of its caches."""
DEVICE_TOKENS: Final = 16384
CPU_FILL: Final = 6
"""Tokens that may fill a text up. A run of MiniLM costs 3 ms to read the weights and 0.27 ms a token, in
8 bits 1.7 and 0.25 ms; in a simulation of 8 clients with texts of mixed lengths, 4 to 6 were best."""
DEVICE_FILL: Final = 256
CPU_LANES: Final = 2
"""Runs at the same time on a CPU. The threads of one run wait for each other behind every operator, and are
slow to wake where they don't spin. Measured with MiniLM in 32 bits on two cores, 22 tokens: 8.6 ms on two
threads (6.2 where they spin), 7.9 ms on one, so that two runs at once do twice as much."""
MOST_TEXTS: Final = 64
_PROBE_TOKENS: Final = 8
"""As few as any model reads, of the ids that every vocabulary has."""
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
    """Runs texts through a session.

    Args:
        layout: The model's files.
        settings: See `OnnxSettings`.
        output: The output to fetch.
        fills_left: Whether short texts are filled up in front.
    """

    def __init__(
        self, layout: Layout, settings: OnnxSettings, output: str, *, fills_left: bool = False
    ) -> None:
        threads = thread_count(settings)
        callers = min(CPU_LANES, threads)
        self._inputs = layout.graph.inputs
        _check_inputs(layout.graph)
        self._output = output
        self._fills_left = fills_left
        config = read_object(layout.config)
        self._fill = whole_number(config.get("pad_token_id")) or 0
        self._types = whole_number(config.get("type_vocab_size")) or 2
        probe = self._probe if _in_8_bits(layout, settings) else None
        self.session = open_session(layout.graph_path, settings, callers, probe)
        on_cpu = self.session.get_providers()[0] == CPU
        self._lanes = callers if on_cpu else 1
        self._helpers = threads - callers
        self.limits = _limits(layout.graph, settings, on_cpu=on_cpu)

    def close(self) -> None:
        """Give the memory back. Nothing is run any more."""
        del self.session

    def lanes(self, read: Callable[[Run], Sequence[Result]]) -> list[Lane[Result]]:
        """As many lanes as runs are computed at the same time.

        Args:
            read: Makes the texts' results of a run's output.
        """
        return [self._lane(read) for _ in range(self._lanes)]

    def lanes_on(self, cores: int) -> int:
        """How many lanes so many cores are enough for, one at least."""
        return max(1, cores - self._helpers)

    def _lane(self, read: Callable[[Run], Sequence[Result]]) -> Lane[Result]:
        options = onnxruntime.RunOptions()

        def interrupt() -> None:
            options.terminate = True

        return Lane(lambda texts: read(self._run(texts, options)), interrupt)

    def _run(self, texts: Sequence[Tokens], options: onnxruntime.RunOptions) -> Run:
        """The output for `texts`.

        Raises:
            InterruptedRunError: `options` say so.
            EngineError: The graph failed.
        """
        lengths = [len(text.ids) for text in texts]
        feeds = self._feeds(texts, lengths)
        try:
            output = self.session.run([self._output], feeds, options)[0]
        except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
            if options.terminate:
                options.terminate = False
                raise InterruptedRunError from error
            raise run_error(error) from error
        return Run(np.asarray(output), lengths, self._fills_left)

    def _probe(self, session: onnxruntime.InferenceSession) -> Array:
        """What a session gives for a short text."""
        text = Tokens(range(_PROBE_TOKENS), [0] * _PROBE_TOKENS)
        return np.asarray(session.run([self._output], self._feeds([text], [_PROBE_TOKENS]))[0])

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


def _in_8_bits(layout: Layout, settings: OnnxSettings) -> bool:
    if settings.int8_compute is not None:
        return settings.int8_compute
    return keeps_matrices_in_8_bits(layout.graph_path)


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


def _limits(graph: Graph, settings: OnnxSettings, *, on_cpu: bool) -> Limits:
    """How large runs may be.

    A graph that rounds activations finds its scale over the whole run, so that a vector would depend
    on its neighbours (measured with MiniLM: cosine 0.98 to the text alone): it gets one text at a time.
    """
    tokens = settings.n_batch or (CPU_TOKENS if on_cpu else DEVICE_TOKENS)
    texts = settings.max_batch or (1 if graph.quantizes_activations else MOST_TEXTS)
    fill = CPU_FILL if on_cpu else DEVICE_FILL
    return Limits(texts=texts, tokens=tokens, queue=settings.max_queue, fill=fill)

"""Folders in onnxruntime-genai's layout, through that package, which is an optional extra."""

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jan_host import JanHostError, ModelBrokenError, ModelLoadError, Progress
from jan_host.kit.generation import Event, Sequence, is_last

from jan_host_onnx.documents import read_object, whole_number
from jan_host_onnx.faults import load_error, run_error
from jan_host_onnx.generation.model import Opened
from jan_host_onnx.generation.pace import Pace
from jan_host_onnx.generation.sampling import Sampler
from jan_host_onnx.generation.seats import Seats
from jan_host_onnx.generation.speech import read_ends, read_template
from jan_host_onnx.generation.vocabulary import Vocabulary
from jan_host_onnx.layouts import Layout, check_tokenizer
from jan_host_onnx.limits import context_length, parallel_sequences
from jan_host_onnx.settings import OnnxSettings
from jan_host_onnx.tokenizer import TextTokenizer

_MOST_TOKENS: Final = 512
"""Tokens of one run at most, when the settings say nothing."""
_BYTES_PER_NUMBER: Final = 4


def open_genai(layout: Layout, settings: OnnxSettings, progress: Progress) -> Opened:
    """Bring a folder with a ``genai_config.json`` into memory; see `loading.load_decoder`.

    Raises:
        ModelLoadError: It can't be loaded, or onnxruntime-genai is missing; says why.
    """
    library = _library()
    try:
        tokenizer = TextTokenizer(check_tokenizer(layout))
        config = read_object(layout.genai_config).get("model") or {}
    except ModelBrokenError as error:
        raise ModelLoadError(error.message, param=error.param) from error
    template = read_template(layout, tokenizer, settings.prompt_template)
    size = whole_number(config.get("vocab_size")) or tokenizer.largest + 1
    vocabulary = Vocabulary(tokenizer, size, read_ends(layout, tokenizer))
    context = context_length(settings, layout)
    parallel = parallel_sequences(settings, context, _bytes_per_token(config.get("decoder") or {}))
    progress(0.1)
    try:
        model = library.Model(str(layout.root))
    except Exception as error:  # the package raises RuntimeError and its kin for everything
        raise load_error(layout.graph_path, error) from error
    progress(1.0)
    pace = Pace(min(_MOST_TOKENS, settings.n_batch or _MOST_TOKENS), pieces=True, steady=False)
    return Opened(
        stepper=GenaiStepper(library, model, vocabulary, seats=parallel, pace=pace),
        vocabulary=vocabulary,
        template=template,
        context_length=context,
        parallel=parallel,
    )


def _library() -> Any:
    try:
        import onnxruntime_genai
    except ImportError as error:
        raise ModelLoadError(
            "This model has a genai_config.json and runs through onnxruntime-genai, which can't be imported"
            f' ({error}). Install it: pip install "jan-host-onnx[genai]"'
        ) from error
    return onnxruntime_genai


def _bytes_per_token(decoder: dict[str, Any]) -> int:
    sizes = [
        whole_number(decoder.get(key)) or 1
        for key in ("num_hidden_layers", "num_key_value_heads", "head_size")
    ]
    return 2 * _BYTES_PER_NUMBER * int(np.prod(sizes))


@dataclass(slots=True, eq=False)
class Seat:
    """A sequence and the generator that computes it."""

    sequence: Sequence[Sampler]
    generator: Any = None


class GenaiStepper(Seats[Seat]):
    """Gives every sequence its turn; a `jan_host.kit.generation.Stepper`.

    Each sequence has a generator of its own, which keeps the KV cache; tokens are chosen here, so that all
    options of sampling work as with other models.

    Args:
        library: The module ``onnxruntime_genai``.
        model: Its ``Model``.
        vocabulary: The model's.
        seats: Sequences at the same time.
        pace: How much of a prompt is computed at once.
    """

    def __init__(self, library: Any, model: Any, vocabulary: Vocabulary, *, seats: int, pace: Pace) -> None:
        super().__init__(Seat, seats, vocabulary)
        self._library = library
        self._model = model
        self._pace = pace
        self._turn = 0

    def drop(self, sequence: Sequence[Sampler], *, failed: bool) -> None:
        """Take the sequence's seat back; its generator goes with it, failed or not."""
        self._seats = [seat for seat in self._seats if seat.sequence is not sequence]

    def interrupt(self) -> None:
        """Nothing to do: each run is one token, or a short piece of a prompt, of one sequence."""

    def step(self) -> list[Event]:
        """The next token of every generating sequence, then a piece of one prompt."""
        # Behind a token that was chosen, others may follow for certain.
        generating = [seat for seat in self._seats if seat.sequence.generated]
        reading = [seat for seat in self._seats if not seat.sequence.generated]
        turns = [(seat, seat.sequence.pending) for seat in generating]
        if reading:
            self._turn += 1
            seat = reading[self._turn % len(reading)]
            turns.append((seat, self._pace.size(seat.sequence.pending, len(generating))))
        return [event for seat, size in turns for event in self._guarded(seat, size)]

    def _guarded(self, seat: Seat, size: int) -> list[Event]:
        """One turn of a sequence; what goes wrong ends that one alone."""
        sequence = seat.sequence
        if sequence.job.cancelled:
            return []
        self.working_for = (sequence.job,)
        try:
            return self._compute(seat, size)
        except JanHostError as error:
            self.drop(sequence, failed=True)
            return [(sequence.job, error)]
        finally:
            self.working_for = ()

    def _compute(self, seat: Seat, size: int) -> list[Event]:
        sequence = seat.sequence
        started = time.perf_counter()
        scores = self._scores(seat, size)
        self._pace.learn(size, time.perf_counter() - started)
        sequence.advance(size)
        if sequence.pending:
            return []
        found = self._next(sequence, scores)
        if found is None:
            return []
        if is_last(found):
            self.drop(sequence, failed=isinstance(found, JanHostError))
        return [(sequence.job, found)]

    def _scores(self, seat: Seat, size: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
        sequence = seat.sequence
        try:
            if seat.generator is None:
                seat.generator = self._generator(sequence.length + sequence.limit)
            seat.generator.append_tokens(sequence.chunk(size)[None])
            logits = seat.generator.get_logits()
        except Exception as error:  # the package raises RuntimeError and its kin for everything
            raise run_error(error) from error
        return np.array(logits.reshape(-1, logits.shape[-1])[-1], np.float32)

    def _generator(self, tokens: int) -> Any:
        params = self._library.GeneratorParams(self._model)
        # The KV cache is made for so many tokens at once.
        params.set_search_options(max_length=tokens, batch_size=1)
        return self._library.Generator(self._model, params)

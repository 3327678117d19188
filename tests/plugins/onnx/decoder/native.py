"""llama.cpp on the same weights, for comparison: its tokens, its scores, its samplers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jan_host_llamacpp.batch import Batch
from jan_host_llamacpp.kv import StreamKv
from jan_host_llamacpp.native import NativeContext, NativeModel
from jan_host_llamacpp.params import context_params, model_params
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.vocab import Vocab

Scores = npt.NDArray[np.float32]
_CONTEXT = 512


class Native:
    """A GGUF file with one sequence."""

    def __init__(self, model: NativeModel, context: NativeContext) -> None:
        self.vocab = Vocab(model.vocab)
        self._context = context
        self._kv = StreamKv(context, 1, cuttable=True)
        self._batch = Batch(_CONTEXT)

    def greedy(self, prompt: Sequence[int], count: int) -> tuple[list[int], list[Scores]]:
        """The best tokens, until one ends the text, and the scores of all tokens at each place."""
        self._kv.drop(0)
        chosen: list[int] = []
        scores: list[Scores] = []
        position, tokens = 0, np.asarray(prompt, np.int32)
        while len(chosen) < count:
            self._batch.clear()
            index = self._batch.add(0, tokens, position, True)
            assert self._context.decode(self._batch) == 0
            position += len(tokens)
            scores.append(np.array(self._context.logits(index)))
            token = int(scores[-1].argmax())
            chosen.append(token)
            if token in self.vocab.ends:
                break
            tokens = np.array([token], np.int32)
        return chosen, scores


@contextmanager
def native(path: Path) -> Iterator[Native]:
    """llama.cpp with the file at `path`."""
    settings = Settings()
    model = NativeModel(path, model_params(settings), lambda _: True)
    context = NativeContext(model, context_params(settings, _CONTEXT, 1))
    try:
        yield Native(model, context)
    finally:
        context.free()
        model.free()

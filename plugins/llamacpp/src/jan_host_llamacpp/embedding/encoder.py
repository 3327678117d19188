"""A context that reads whole texts, several of them in one batch, and gives numbers for each."""

from collections.abc import Sequence
from typing import Any, Final

import llama_cpp.llama_cpp as lib
import numpy as np
from jan_host import EngineError, ModelLoadError
from jan_host.kit.batching import InterruptedRunError, Limits, Tokens
from jan_host.kit.vectors import Vectors

from jan_host_llamacpp.batch import Batch
from jan_host_llamacpp.embedding.purpose import CLS, MEAN, Purpose
from jan_host_llamacpp.native import NativeContext, NativeModel
from jan_host_llamacpp.params import encoder_params
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.sizing import MOST_TEXTS

_ABORTED: Final = 2


class Encoder:
    """Made and called on one thread at a time, but for `interrupt`.

    Args:
        model: The weights; they must outlive this object.
        settings: See `Settings`.
        purpose: How to pool.
        length: Tokens of the longest text.

    Raises:
        ModelLoadError: There is no memory for the context.
    """

    def __init__(self, model: NativeModel, settings: Settings, purpose: Purpose, length: int) -> None:
        params = encoder_params(settings, length, MOST_TEXTS, whole=purpose.encodes)
        params.pooling_type = purpose.pooling
        self._pooling = purpose.pooling
        self._context = NativeContext(model, params)
        self._batch = Batch(self._context.batch_size)
        self.width = (
            lib.llama_model_n_cls_out(model.pointer)
            if purpose.ranks
            else lib.llama_model_n_embd_out(model.pointer)
        )
        """Numbers of each text."""
        self.limits = Limits(texts=MOST_TEXTS, tokens=settings.n_batch, queue=settings.max_queue)

    def run(self, texts: Sequence[Tokens]) -> Vectors:
        """The numbers of each text: ``[texts, numbers]``.

        Raises:
            InterruptedRunError: See `interrupt`.
            EngineError: llama.cpp failed, or the numbers are not finite.
        """
        if len(texts) == 1 and len(texts[0].ids) > self._batch.capacity:
            found = self._in_pieces(texts[0])[None]
        else:
            self._batch.clear()
            for number, text in enumerate(texts):
                self._batch.add(number, np.asarray(text.ids, np.int32), 0, len(text.ids))
            self._compute(anew=True)
            found = np.stack([self._context.pooled(number, self.width) for number in range(len(texts))])
        if not np.isfinite(found).all():
            raise EngineError("The model gave numbers that are not finite. Try a file of more bits.")
        return found

    def _in_pieces(self, text: Tokens) -> Vectors:
        """The numbers of a text that no batch holds, by a model that reads from left to right."""
        ids, size = np.asarray(text.ids, np.int32), self._batch.capacity
        found: list[Vectors] = []
        sizes: list[int] = []
        for start in range(0, len(ids), size):
            piece = ids[start : start + size]
            self._batch.clear()
            self._batch.add(0, piece, start, len(piece))
            self._compute(anew=start == 0)
            found.append(self._context.pooled(0, self.width))
            sizes.append(len(piece))
        if self._pooling == MEAN:
            mean: Vectors = np.average(found, axis=0, weights=sizes).astype(np.float32)
            return mean
        return found[0] if self._pooling == CLS else found[-1]

    def _compute(self, *, anew: bool) -> None:
        status = self._context.encode(self._batch, anew=anew)
        if status == _ABORTED:
            self._context.abort(False)
            raise InterruptedRunError
        if status != 0:
            raise EngineError(
                f"The model could not compute this text: llama.cpp answered {status}. Send it again."
            )

    def interrupt(self) -> None:
        """Make the run that is going on, or the next one, end early; callable from any thread."""
        self._context.abort(True)

    def close(self) -> None:
        """Give the memory back. Nothing is run any more."""
        self._context.free()


def score_place(model: Any) -> int:
    """Which of the numbers that a reranker gives is the score.

    Raises:
        ModelLoadError: It sorts into classes of which none means "relevant".
    """
    count: int = lib.llama_model_n_cls_out(model)
    labels = [(lib.llama_model_cls_label(model, index) or b"").lower() for index in range(count)]
    if count == 1:
        return 0
    if b"yes" not in labels:
        raise ModelLoadError(
            f"The model sorts texts into {count} classes; a reranker gives one score, or has a class yes."
        )
    return labels.index(b"yes")

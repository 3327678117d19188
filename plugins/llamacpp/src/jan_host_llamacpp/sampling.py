"""How the next token is chosen: adjusted scores, then llama.cpp's sampler chain or the best token."""

import ctypes
import weakref
from collections.abc import Sequence
from typing import Any, Final

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
from jan_host import EngineError, InvalidRequestError
from jan_host.kit.generation import Adjust, ChoicePlan, Chosen, Reporter
from jan_host.kit.structure import Constrains

from jan_host_llamacpp.chains import build_chain
from jan_host_llamacpp.native import NativeContext
from jan_host_llamacpp.vocab import Vocab

_CANDIDATE: Final = np.dtype([("id", np.int32), ("score", np.float32), ("probability", np.float32)])
"""llama.cpp's ``llama_token_data``."""


class Sampler:
    """Chooses the tokens of one sequence.

    Args:
        chain: llama.cpp's sampler chain, which this object owns; ``None`` takes the best token.
        adjustments: Applied to the scores first, in order.
        looks_back: How many earlier tokens the chain needs to know.
        reporter: Tells log probabilities; ``None`` where nobody asked.
        constraint: What the text is held to.
    """

    def __init__(
        self,
        chain: Any,
        adjustments: Sequence[Adjust],
        looks_back: int,
        reporter: Reporter | None,
        constraint: Constrains | None,
    ) -> None:
        self._chain = chain
        self._adjustments = tuple(adjustments)
        self._looks_back = looks_back
        self.reporter = reporter
        self.constraint = constraint
        self._room = np.empty(0, _CANDIDATE)
        if chain is not None:
            weakref.finalize(self, lib.llama_sampler_free, chain).atexit = False

    def observe(self, tokens: npt.NDArray[np.int32]) -> None:
        """Show the chain tokens that it did not choose, so that penalties know of them."""
        if self._chain is not None and self._looks_back:
            words = tokens[tokens >= 0]  # below 0, ids stand for images
            for token in words[-self._looks_back :].tolist():
                lib.llama_sampler_accept(self._chain, token)

    def sample(self, context: NativeContext, index: int, generated: int) -> Chosen:
        """The next token, by the logits of the batch's token `index`; the chain remembers it."""
        if self.reporter is None:
            return Chosen(self._choose(context, index, generated), None)
        report = self.reporter.prepare(context.logits(index))
        token = self._choose(context, index, generated)
        return Chosen(token, report(token))

    def _choose(self, context: NativeContext, index: int, generated: int) -> int:
        allowed = self.constraint.allowed() if self.constraint is not None else None
        if self._adjustments or self._chain is None or allowed is not None:
            scores = context.logits(index)
            for adjust in self._adjustments:
                adjust(scores, generated)
            if allowed is not None:
                return self._choose_among(allowed, scores)
            if self._chain is None:
                return int(scores.argmax())
        token: int = lib.llama_sampler_sample(self._chain, context.pointer, index)
        return token

    def _choose_among(self, allowed: npt.NDArray[np.intp], scores: npt.NDArray[np.float32]) -> int:
        """The next token, one of `allowed`: the chain sees no others, which costs less than to mask them."""
        held = scores.take(allowed)
        place = int(held.argmax())
        if len(allowed) > 1 and np.isneginf(held[place]):
            raise InvalidRequestError(
                "logit_bias forbids every token that may come next in the wanted form. Forbid fewer.",
                param="logit_bias",
            )
        if self._chain is None:
            return int(allowed[place])
        token = int(allowed[place]) if len(allowed) == 1 else self._apply(allowed, held)
        lib.llama_sampler_accept(self._chain, token)
        return token

    def _apply(self, allowed: npt.NDArray[np.intp], held: npt.NDArray[np.float32]) -> int:
        """The token that the chain chooses, by the scores `held` of those that are allowed."""
        if len(self._room) < len(allowed):
            self._room = np.empty(2 * len(allowed), _CANDIDATE)
        candidates = self._room[: len(allowed)]
        candidates["id"] = allowed
        candidates["score"] = held
        first = ctypes.cast(candidates.ctypes.data, ctypes.POINTER(lib.llama_token_data))
        array = lib.llama_token_data_array(data=first, size=len(candidates), selected=-1, sorted=False)
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        if not 0 <= array.selected < array.size:
            raise EngineError("llama.cpp's samplers chose no token. Try other sampling options.")
        return int(candidates["id"][array.selected])


def build_sampler(plan: ChoicePlan, vocab: Vocab) -> Sampler:
    """The sampler of one choice of a request."""
    chain = build_chain(plan.options, vocab)
    return Sampler(chain, plan.adjust, plan.options.looks_back, plan.reporter, plan.constraint)

"""How the next token is chosen: adjusted scores, then llama.cpp's sampler chain or the best token."""

import weakref
from collections.abc import Sequence
from typing import Any, Protocol

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
from jan_host import GenerationOptions, InvalidRequestError

from jan_host_llamacpp.chains import Wanted, build_chain
from jan_host_llamacpp.native import NativeContext
from jan_host_llamacpp.vocab import Vocab


class Adjust(Protocol):
    """Changes the scores of all tokens before one is chosen: the place for biases and masks."""

    def __call__(self, scores: npt.NDArray[np.float32], generated: int) -> None:
        """Change `scores` in place; `generated` is the number of tokens that were chosen before."""
        ...


class Sampler:
    """Chooses the tokens of one sequence.

    Args:
        chain: llama.cpp's sampler chain, which this object owns; ``None`` takes the best token.
        adjustments: Applied to the scores first, in order.
        looks_back: How many earlier tokens the chain needs to know.
    """

    def __init__(self, chain: Any, adjustments: Sequence[Adjust], looks_back: int) -> None:
        self._chain = chain
        self._adjustments = tuple(adjustments)
        self._looks_back = looks_back
        if chain is not None:
            weakref.finalize(self, lib.llama_sampler_free, chain).atexit = False

    def observe(self, prompt: npt.NDArray[np.int32]) -> None:
        """Show the chain the prompt, so that penalties see what was said before."""
        if self._chain is not None and self._looks_back:
            for token in prompt[-self._looks_back :].tolist():
                lib.llama_sampler_accept(self._chain, token)

    def sample(self, context: NativeContext, index: int, generated: int) -> int:
        """The next token, by the logits of the batch's token `index`; the chain remembers it."""
        if self._adjustments or self._chain is None:
            scores = context.logits(index)
            for adjust in self._adjustments:
                adjust(scores, generated)
            if self._chain is None:
                return int(scores.argmax())
        token: int = lib.llama_sampler_sample(self._chain, context.pointer, index)
        return token


class LogitBias:
    """OpenAI's ``logit_bias``: -100 forbids a token, everything else is added to its score."""

    def __init__(self, bias: dict[int, float]) -> None:
        self._ids = np.array(list(bias), np.int32)
        values = [-np.inf if value <= -100 else value for value in bias.values()]
        self._values = np.array(values, np.float32)

    def __call__(self, scores: npt.NDArray[np.float32], generated: int) -> None:
        """See `Adjust`."""
        scores[self._ids] += self._values


class NoEnd:
    """Forbids the end of the text, for ``ignore_eos`` or until ``min_tokens`` are generated."""

    def __init__(self, ends: npt.NDArray[np.int32], until: int | None) -> None:
        self._ends = ends
        self._until = until

    def __call__(self, scores: npt.NDArray[np.float32], generated: int) -> None:
        """See `Adjust`."""
        if self._until is None or generated < self._until:
            scores[self._ends] = -np.inf


def build_sampler(options: GenerationOptions, choice: int, vocab: Vocab, context_length: int) -> Sampler:
    """The sampler of one choice of a request.

    Args:
        options: The request.
        choice: Its number among the ``n`` choices; each gets a seed of its own.
        vocab: The model's vocabulary.
        context_length: Tokens that one request may use: penalties look back no further.

    Raises:
        InvalidRequestError: An unknown sampler, or a token id that does not exist.
    """
    wanted = Wanted(options, choice, context_length)
    return Sampler(build_chain(wanted, vocab), _adjustments(options, vocab), wanted.looks_back)


def _adjustments(options: GenerationOptions, vocab: Vocab) -> list[Adjust]:
    found: list[Adjust] = []
    if options.logit_bias:
        found.append(LogitBias(_bias(options.logit_bias, vocab)))
    if options.ignore_eos:
        found.append(NoEnd(vocab.end_ids, None))
    elif options.min_tokens:
        found.append(NoEnd(vocab.end_ids, options.min_tokens))
    return found


def _bias(given: dict[str, float], vocab: Vocab) -> dict[int, float]:
    bias = {}
    for key, value in given.items():
        if not key.isascii() or not key.isdigit() or int(key) >= vocab.size:
            raise InvalidRequestError(
                f"{key!r} is not a token id of this model. Use ids from 0 to {vocab.size - 1} as keys.",
                param="logit_bias",
            )
        bias[int(key)] = value
    return bias

"""A part of an image as a batch of llama.cpp: vectors in the place of tokens."""

import ctypes
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
from jan_host.kit.generation import Sequence

from jan_host_llamacpp.native import NativeContext
from jan_host_llamacpp.vision.prompt import Placed, image_at


class VectorBatch:
    """Some vectors of an image, for one sequence.

    Args:
        number: The sequence's number in the context.
        image: The image.
        first: The first of its vectors.
        size: How many.
        outputs: Behind how many of the last ones the logits are wanted.
    """

    def __init__(self, number: int, image: Placed, first: int, size: int, outputs: int) -> None:
        # Every array must live as long as the batch.
        self._vectors = np.ascontiguousarray(image.sight.vectors[first : first + size])
        self._places = image.sight.places(image.position, first, size)
        self._counts = np.ones(size, np.int32)
        self._number = np.full(1, number, np.int32)
        self._numbers = np.full(size, self._number.ctypes.data, np.uintp)
        self._outputs = np.zeros(size, np.int8)
        self._outputs[size - outputs :] = 1
        self.struct: Any = lib.llama_batch(
            n_tokens=size,
            embd=_pointer(self._vectors, ctypes.c_float),
            pos=_pointer(self._places, ctypes.c_int32),
            n_seq_id=_pointer(self._counts, ctypes.c_int32),
            seq_id=_pointer(self._numbers, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._outputs, ctypes.c_int8),
        )


def show(context: NativeContext, number: int, sequence: Sequence[Any], size: int, outputs: int) -> int:
    """Run the next `size` vectors of the image that a sequence has come to through the model.

    Returns:
        As `NativeContext.decode`.
    """
    image = image_at(sequence)
    if image is None:
        raise ValueError("there is no image")
    batch = VectorBatch(number, image, sequence.past - image.start, size, outputs)
    if not image.sight.whole:
        return context.decode(batch)
    lib.llama_set_causal_attn(context.pointer, False)
    try:
        return context.decode(batch)
    finally:
        lib.llama_set_causal_attn(context.pointer, True)


def _pointer(array: Any, kind: Any) -> Any:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))

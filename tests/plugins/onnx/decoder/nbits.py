"""Weights in blocks of four bits, as MatMulNBits reads them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.plugins.onnx.decoder.weights import Array

BLOCK = 32


def packed(matrix: Array) -> tuple[npt.NDArray[np.uint8], Array, npt.NDArray[np.uint8]]:
    """A matrix ``[rows, columns]`` as blocks, scales and zero points; see MatMulNBits in ONNX Runtime."""
    rows, columns = matrix.shape
    blocks = matrix.reshape(rows, columns // BLOCK, BLOCK)
    low = np.minimum(blocks.min(-1, keepdims=True), 0)
    high = np.maximum(blocks.max(-1, keepdims=True), 0)
    scales = np.maximum((high - low) / 15, 1e-12)
    zeros = np.clip(np.round(-low / scales), 0, 15)
    levels = np.clip(np.round(blocks / scales) + zeros, 0, 15).astype(np.uint8)
    return _pairs(levels), scales[..., 0].astype(np.float32), _pairs(_even(zeros[..., 0].astype(np.uint8)))


def _pairs(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Two numbers in each byte, the first one low."""
    return (levels[..., 0::2] | (levels[..., 1::2] << 4)).astype(np.uint8)


def _even(zeros: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.pad(zeros, [(0, 0), (0, zeros.shape[-1] % 2)])

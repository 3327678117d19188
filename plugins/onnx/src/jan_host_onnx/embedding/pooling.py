"""From the vectors of tokens to the vector of a text."""

from typing import Any

import numpy as np
from jan_host import EngineError
from jan_host.kit.vectors import Vectors

from jan_host_onnx.encoder import Run
from jan_host_onnx.sentence import Pooling


def pool(run: Run, how: Pooling) -> Vectors:
    """One vector for each text of a run.

    Args:
        run: An output of texts x tokens x numbers, or of texts x numbers where the graph pools itself.
        how: Which tokens count. Those that fill a row up never do.

    Raises:
        EngineError: The output has another shape.
    """
    output = run.output
    if output.ndim == 2:
        return output.astype(np.float32, copy=False)
    if output.ndim != 3 or output.shape[1] < max(run.lengths):
        raise EngineError(
            f"The graph gave an output of shape {output.shape} for {len(run.lengths)} texts of up to"
            f" {max(run.lengths)} tokens, which is none of vectors. Check that it is an embedding model."
        )
    values = output.astype(np.float32, copy=False)
    rows = [_own(row, length, run.fills_left) for row, length in zip(values, run.lengths, strict=True)]
    return np.stack([_pool(row, how) for row in rows])


def _own(row: Vectors, length: int, fills_left: bool) -> Vectors:
    return row[-length:] if fills_left else row[:length]


def _pool(tokens: Vectors, how: Pooling) -> Any:
    if how == "cls":
        return tokens[0]
    if how == "last":
        return tokens[-1]
    return tokens.max(axis=0) if how == "max" else tokens.mean(axis=0)

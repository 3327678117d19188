"""From a graph's numbers to relevance, from 0 to 1 unless raw numbers are wanted."""

from typing import Literal

import numpy as np
from jan_host import EngineError, ModelLoadError
from jan_host.kit.vectors import relevance

from jan_host_onnx.encoder import Run
from jan_host_onnx.graph import Graph

Score = Literal["sigmoid", "softmax", "raw"]


def output_of(graph: Graph) -> str:
    """The name of the output that holds the scores.

    Raises:
        ModelLoadError: The graph sorts texts into more than two classes.
    """
    value = graph.output("logits") or graph.outputs[0]
    classes = value.shape[-1] if value.shape else None
    if isinstance(classes, int) and classes > 2:
        raise ModelLoadError(
            f"The graph sorts texts into {classes} classes; a reranker gives one score, or the two of"
            " irrelevant and relevant."
        )
    return value.name


def scores_of(run: Run, how: Score | None) -> list[float]:
    """One score for each pair.

    Args:
        run: An output of pairs x 1 (a score), or pairs x 2 (irrelevant, relevant).
        how: ``None`` for what suits the output.

    Raises:
        EngineError: The output has another shape, or a score is not finite.
    """
    output = run.output.astype(np.float64)
    values = output.reshape(output.shape[0], -1) if output.ndim else output.reshape(1, 1)
    if values.shape not in ((len(run.lengths), 1), (len(run.lengths), 2)):
        raise EngineError(
            f"The graph gave an output of shape {output.shape} for {len(run.lengths)} pairs, in place of a"
            " score each. Check that it is a reranker."
        )
    # The softmax of two numbers is the sigmoid of their difference.
    score = values[:, -1] - values[:, 0] if values.shape[1] == 2 and how != "sigmoid" else values[:, -1]
    if how == "raw":
        score = values[:, -1]
    if not np.isfinite(score).all():
        raise EngineError("The graph gave a score that is not finite. Choose a variant of more bits.")
    return score.tolist() if how == "raw" else relevance(score)

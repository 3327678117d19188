"""What prompts have in common at their beginning, which need not be computed twice."""

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


def common_prefix(one: Tokens, other: Tokens) -> int:
    """How many tokens two prompts begin with alike."""
    size = min(len(one), len(other))
    if size == 0 or one[0] != other[0]:
        return 0
    differing = np.flatnonzero(one[:size] != other[:size])
    return int(differing[0]) if len(differing) else size

"""How long a request may be, how many are worked on at the same time, and the memory that this takes.

Nothing native is loaded here, so that the host can reckon with the same numbers as the decoder.
"""

import logging
from typing import Final

from jan_host.kit import free_memory

from jan_host_onnx.layouts import Layout
from jan_host_onnx.settings import OnnxSettings

logger = logging.getLogger(__name__)

DEFAULT_CONTEXT: Final = 4096
MOST_PARALLEL: Final = 8
_MEMORY_SHARE: Final = 0.5
"""Of the free memory, for caches of running sequences, their successors, and those that are kept."""
_COPIES: Final = 3
"""A cache, the one that a step or a new group makes from it, and what ended sequences leave."""


def context_length(settings: OnnxSettings, layout: Layout) -> int:
    """Tokens that one request may use."""
    trained = layout.max_length
    if settings.ctx_len is None:
        return min(DEFAULT_CONTEXT, trained or DEFAULT_CONTEXT)
    if trained and settings.ctx_len > trained:
        logger.warning(
            "ctx_len %d is more than the %d tokens that the model was trained for", settings.ctx_len, trained
        )
    return settings.ctx_len


def parallel_sequences(settings: OnnxSettings, context: int, bytes_per_token: int) -> int:
    """How many sequences to generate at the same time.

    Args:
        settings: What the user set.
        context: Tokens that each may use.
        bytes_per_token: Of the KV cache; all must fit.
    """
    if settings.n_parallel is not None:
        return settings.n_parallel
    one = max(1, cache_bytes(1, context, bytes_per_token))
    return max(1, min(MOST_PARALLEL, int(free_memory() * _MEMORY_SHARE / one)))


def cache_bytes(sequences: int, context: int, bytes_per_token: int) -> int:
    """The most memory that KV caches take.

    Args:
        sequences: Generated at the same time.
        context: Tokens that each may use.
        bytes_per_token: Of one sequence.
    """
    return sequences * context * bytes_per_token * _COPIES

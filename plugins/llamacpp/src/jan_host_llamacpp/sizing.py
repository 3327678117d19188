"""How large the KV cache is: tokens, sequences, bytes. Loads no native code."""

from typing import Any, Final

from jan_host import ModelLoadError
from jan_host.kit import bytes_from_words, free_memory

from jan_host_llamacpp.ggml import block_of
from jan_host_llamacpp.header import Header
from jan_host_llamacpp.layers import kept_by

DEFAULT_CONTEXT: Final = 4096
MOST_PARALLEL: Final = 8
MEMORY_SHARE: Final = 0.25
"""The part of the free memory that the KV cache may fill when nobody says how many sequences there are."""
MOST_FOR_PREFIXES: Final = 512 * 2**20
"""Bytes of RAM for prefixes, when nobody says how many; an eighth of the free memory at most."""
MOST_TEXTS: Final = 64
"""Texts of one batch, where they become vectors or scores."""
_CELLS: Final = 256
"""A sequence has a multiple of so many cells (``GGML_PAD`` in llama.cpp's llama-context.cpp)."""

_STATE_NUMBER: Final = 4
"""Bytes of a number of a recurrent state."""


def context_of(header: Header, settings: Any) -> int:
    """Tokens that one request may use."""
    return int(settings.ctx_len or min(DEFAULT_CONTEXT, header.context_length or DEFAULT_CONTEXT))


def cells_of(header: Header, settings: Any) -> int:
    """Cells of one sequence."""
    return -(-context_of(header, settings) // _CELLS) * _CELLS


def parallel_sequences(header: Header, settings: Any) -> int:
    """How many sequences to generate at the same time: as many as are asked for, else as the memory holds."""
    if settings.n_parallel:
        return int(settings.n_parallel)
    one = sequence_bytes(header, settings)
    return max(1, min(MOST_PARALLEL, int(free_memory() * MEMORY_SHARE / max(one, 1))))


def sequence_bytes(header: Header, settings: Any) -> int:
    """The KV cache of one sequence.

    Numbers of a token (keys and values, over all layers) x bytes of a number x cells, and the state of
    recurrent layers. Where the layers of a sliding window keep less (`swa_full` is false), it is less than
    that.
    """
    kept = kept_by(header)
    one = _bytes_of(kept.keys, settings.cache_type_k) + _bytes_of(kept.values, settings.cache_type_v)
    return cells_of(header, settings) * one + kept.state * _STATE_NUMBER


def prefix_room(settings: Any) -> int:
    """The bytes of RAM that may hold prefixes beside the KV cache."""
    asked = settings.prefix_cache_bytes
    if asked is None:
        return min(MOST_FOR_PREFIXES, free_memory() // 8)
    amount = bytes_from_words(asked) if isinstance(asked, str) else int(asked)
    return amount or 0


def check_cache_types(settings: Any, header: Header) -> None:
    """Hold the number formats of the KV cache against the model: a head must consist of whole blocks.

    Raises:
        ModelLoadError: llama.cpp would refuse; names the setting.
    """
    formats = {"cache_type_k": settings.cache_type_k, "cache_type_v": settings.cache_type_v}
    for (name, kind), width in zip(formats.items(), header.head_sizes(), strict=True):
        block, _ = block_of(kind)
        if width % block:
            raise ModelLoadError(
                f"The setting {name} can't be {kind}: it holds blocks of {block} numbers, and a head of this"
                f" model has {width}. Set {name} to f16.",
                param=f"settings.{name}",
            )


def _bytes_of(numbers: int, kind: str) -> int:
    block, size = block_of(kind)
    return numbers * size // block

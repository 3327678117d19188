"""How much memory a model needs: its weights, the KV cache, and room to compute in.

KV cache: numbers per token (keys and values, over all layers) x bytes of a number x tokens x sequences.
Room to compute: what one micro-batch needs at the widest place, logits of the whole vocabulary included.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jan_host import Footprint, Model, ModelBrokenError, ModelLoadError
from jan_host.kit import free_memory

from jan_host_llamacpp.embedding.purpose import Purpose, purpose_of
from jan_host_llamacpp.ggml import block_of
from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.header import Header
from jan_host_llamacpp.magic import is_gguf

DEFAULT_CONTEXT = 4096
MOST_PARALLEL = 8
MEMORY_SHARE = 0.25
"""The part of the free memory that the KV cache may fill when nobody says how many sequences there are."""

_DEVICE_LIBRARIES = ("cuda", "hip", "metal", "musa", "sycl", "vulkan")
_FLOAT = 4


def estimate(model: Model, folder: Path | None, settings: Any) -> Footprint:
    """The memory that `model` will need, from its header when its files are there, else from its size.

    Args:
        model: The model.
        folder: Where its files are, or ``None``.
        settings: An instance of the engine's ``Settings``.
    """
    files = [path for path in model.files(folder) if path.is_file()] if folder else []
    if not files:
        return Footprint(ram=int(model.metadata.get("size") or 0))
    weights = sum(path.stat().st_size for path in files)
    try:
        header = read_header(next(path for path in files if is_gguf(path)))
    except (ModelBrokenError, StopIteration):
        return Footprint(ram=weights)
    purpose = _purpose(header, settings)
    if purpose is None or purpose.chats:
        cache_size, compute = _cache_bytes(header, settings), _compute_bytes(header, settings)
    else:
        compute = _reading_bytes(header, settings, whole=purpose.encodes)
        cache_size = 0 if purpose.encodes else _context(header, settings) * sum(header.key_value_sizes()) * 2
    share = _device_share(header, settings)
    device = int(share * (weights + cache_size * settings.offload_kqv)) + (compute if share else 0)
    return Footprint(
        ram=weights + cache_size + compute - device, device=device, context=_context(header, settings)
    )


def _cache_bytes(header: Header, settings: Any) -> int:
    keys, values = header.key_value_sizes()
    one = _context(header, settings) * (
        _bytes_of(keys, settings.cache_type_k) + _bytes_of(values, settings.cache_type_v)
    )
    if settings.n_parallel:
        return one * int(settings.n_parallel)
    return one * max(1, min(MOST_PARALLEL, int(free_memory() * MEMORY_SHARE / max(one, 1))))


def _context(header: Header, settings: Any) -> int:
    return int(settings.ctx_len or min(DEFAULT_CONTEXT, header.context_length or DEFAULT_CONTEXT))


def _bytes_of(numbers: int, kind: str) -> int:
    block, size = block_of(kind)
    return numbers * size // block


def _compute_bytes(header: Header, settings: Any) -> int:
    inner = max(header.integers(header.own("feed_forward_length"), header.block_count), default=0)
    return (
        int(settings.n_ubatch) * _FLOAT * (header.vocabulary_size + 4 * header.embedding_length + 3 * inner)
    )


def _purpose(header: Header, settings: Any) -> Purpose | None:
    try:
        return purpose_of(header, settings)
    except ModelLoadError:
        return None


def _reading_bytes(header: Header, settings: Any, *, whole: bool) -> int:
    """What a context takes that reads texts, `whole` or in pieces of ``n_batch`` tokens.

    Attention of every token to every other in each head; a row of the vocabulary for each token, which
    llama.cpp keeps also where nobody wants it, and decoders compute before that.
    """
    longest = max(_context(header, settings), int(settings.n_batch))
    tokens = longest if whole else int(settings.n_batch)
    heads = max(header.integers(header.own("attention.head_count"), header.block_count), default=1)
    inner = max(header.integers(header.own("feed_forward_length"), header.block_count), default=0)
    rows = header.vocabulary_size if whole else 2 * header.vocabulary_size
    return tokens * _FLOAT * (heads * longest + rows + 4 * header.embedding_length + 3 * inner)


def _device_share(header: Header, settings: Any) -> float:
    """The part of the layers that goes to a device: the output counts as one more layer."""
    layers = header.block_count + 1
    if settings.ngl == 0 or not _offloads():
        return 0.0
    return 1.0 if settings.ngl < 0 else min(settings.ngl, layers) / layers


@cache
def _offloads() -> bool:
    """Whether the installed llama.cpp was built for a device, seen without loading it."""
    spec = find_spec("llama_cpp")
    folders = [Path(place) / "lib" for place in (spec and spec.submodule_search_locations) or ()]
    return any(next(folder.glob(f"*ggml-{name}*"), None) for folder in folders for name in _DEVICE_LIBRARIES)

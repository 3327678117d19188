"""How much memory a model needs: its weights, the KV cache, room to compute in, and the code around it.

Measured as the resident memory of workers with two models, three context lengths each, and other cache types
and batches (tests/plugins/llamacpp/test_footprint.py). Of what llama.cpp sets aside for computing, pages that
no computation touches cost nothing: it reckons with the scores of all tokens of a batch, and few are wanted.
"""

from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from jan_host import Footprint, Model, ModelBrokenError, ModelLoadError

from jan_host_llamacpp.adapters.files import adapter_files
from jan_host_llamacpp.embedding.purpose import Purpose, purpose_of
from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.header import Header
from jan_host_llamacpp.layers import kept_by
from jan_host_llamacpp.magic import is_gguf
from jan_host_llamacpp.sizing import MOST_TEXTS, cells_of, context_of, parallel_sequences, sequence_bytes

_DEVICE_LIBRARIES = ("cuda", "hip", "metal", "musa", "sycl", "vulkan")
_FLOAT: Final = 4
_MASK: Final = 6
"""Bytes of a mask's number: as it is made, and once more in half precision for flash attention."""
_CANDIDATE: Final = 12
"""``sizeof(llama_token_data)``."""
_LIBRARIES: Final = 42_000_000
"""llama.cpp, NumPy, Jinja, llguidance and what they need, without the worker around them."""
_TOKEN: Final = 170
"""Bytes that a token of the vocabulary takes, in llama.cpp and here."""


def estimate(model: Model, folder: Path | None, settings: Any) -> Footprint:
    """The memory that `model` will need, from its header when its files are there, else from its size.

    Prefixes beside the KV cache are not counted: that room is filled while others need it not.

    Args:
        model: The model.
        folder: Where its files are, or ``None``.
        settings: An instance of the engine's ``Settings``.
    """
    files = [path for path in model.files(folder) if path.is_file()] if folder else []
    if not files or folder is None:
        return Footprint(ram=int(model.metadata.get("size") or 0))
    weights = sum(path.stat().st_size for path in files)
    with suppress(ModelLoadError, OSError):  # the load will tell
        weights += sum(adapter.path.stat().st_size for adapter in adapter_files(settings, model, folder))
    try:
        header = read_header(next(path for path in files if is_gguf(path)))
    except (ModelBrokenError, StopIteration):
        return Footprint(ram=weights)
    cache_size, compute = _context_bytes(header, settings)
    share = _device_share(header, settings)
    device = int(share * (weights + cache_size * settings.offload_kqv)) + (compute if share else 0)
    around = _LIBRARIES + _TOKEN * header.vocabulary_size
    return Footprint(
        ram=weights + cache_size + compute + around - device,
        device=device,
        context=context_of(header, settings),
    )


def _context_bytes(header: Header, settings: Any) -> tuple[int, int]:
    """The KV cache, and the room to compute in, of all contexts that a model gets."""
    purpose = _purpose(header, settings)
    cache_size = compute = 0
    if purpose is None or purpose.chats:
        cache_size = sequence_bytes(header, settings) * parallel_sequences(header, settings)
        compute = _compute_bytes(header, settings)
    if purpose is not None and (purpose.embeds or purpose.ranks):
        compute += _reading_bytes(header, settings, whole=purpose.encodes)
        if not purpose.encodes:
            kept = kept_by(header)
            cache_size += 2 * context_of(header, settings) * (kept.keys + kept.values)
            cache_size += _FLOAT * MOST_TEXTS * kept.state
    return cache_size, compute


def _compute_bytes(header: Header, settings: Any) -> int:
    """What one micro-batch touches at the widest place, and the scores that the answers are chosen by."""
    sequences = parallel_sequences(header, settings)
    cells = cells_of(header, settings) * (sequences if settings.kv_layout == "unified" else 1)
    tokens = min(int(settings.n_ubatch), int(settings.n_batch), cells)
    attention = cells * _MASK
    if settings.flash_attn in ("off", False):
        attention += cells * _FLOAT * _heads(header)
    scores = sequences * header.vocabulary_size * (_FLOAT + _CANDIDATE)
    return tokens * (_FLOAT * _layer_numbers(header) + attention) + scores


def _layer_numbers(header: Header) -> int:
    """Numbers of a token that a layer has at a time: several vectors, and those of the feed-forward part."""
    inner = max(header.integers(header.own("feed_forward_length"), header.block_count), default=0)
    return 4 * header.embedding_length + 3 * inner


def _heads(header: Header) -> int:
    return max(header.heads, default=1)


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
    longest = max(context_of(header, settings), int(settings.n_batch))
    tokens = longest if whole else int(settings.n_batch)
    rows = header.vocabulary_size if whole else 2 * header.vocabulary_size
    return tokens * _FLOAT * (_heads(header) * longest + rows + _layer_numbers(header))


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

"""What the layers of a model keep of a sequence: cells for each token, a state of one size, or nothing.

As llama.cpp reckons it: ``llama_hparams`` (``n_embd_r``, ``n_embd_s``, ``has_kv``) and the filters of layers
in ``llama_model::create_memory``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jan_host_llamacpp.header import MOST_LAYERS, Header

_ATTENDS_EVERY: Final = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "qwen4exp": 4, "minimax-01": 8}
"""Architectures of which one layer in so many attends, where the file says no other number."""
_BOTH: Final = frozenset({"falcon-h1"})
"""Architectures whose layers attend and have a state."""
_NEITHER: Final = frozenset({"nemotron_h", "nemotron_h_moe"})
"""Architectures whose layers with a feed-forward part do nothing else."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Numbers that a sequence keeps."""

    keys: int
    """Of each token, in the format of `cache_type_k`."""
    values: int
    """Of each token, in the format of `cache_type_v`."""
    state: int
    """Of the sequence, however long it is, in 32 bits."""


def kept_by(header: Header) -> Kept:
    """What all layers of a model keep together."""
    heads = _key_value_heads(header)
    states = _states(header, heads)
    with_state = len(heads) - (header.integer(header.own("nextn_predict_layers")) or 0)
    with_cells = with_state - (header.integer(header.own("attention.shared_kv_layers")) or 0)
    wide, near, windowed = header.head_sizes(), _near_sizes(header), _windowed(header, len(heads))
    keys = values = 0
    for layer, (count, state) in enumerate(zip(heads[: max(0, with_cells)], states, strict=False)):
        if not state or header.architecture in _BOTH:
            key, value = near if windowed[layer] else wide
            keys, values = keys + count * key, values + count * value
    # What stands for keys and values of all heads is kept once, among the keys.
    compressed = header.integer(header.own("attention.key_length_mla"))
    return Kept(keys=keys, values=0 if compressed else values, state=sum(states[: max(0, with_state)]))


def _key_value_heads(header: Header) -> list[int]:
    """Of each layer; none where it does not attend."""
    count = min(header.block_count, MOST_LAYERS)
    found = header.integers(header.own("attention.head_count_kv"), count) or header.heads
    return [*found, *[0] * (count - len(found))]


def _near_sizes(header: Header) -> tuple[int, int]:
    """Numbers of a key and of a value in one head of a layer with a sliding window."""
    key, value = header.head_sizes()
    return (
        header.integer(header.own("attention.key_length_swa")) or key,
        header.integer(header.own("attention.value_length_swa")) or value,
    )


def _windowed(header: Header, count: int) -> list[bool]:
    """Which layers have a sliding window, where the file names each."""
    listed = header.flags(header.own("attention.sliding_window_pattern"), count)
    return [*listed, *[False] * (count - len(listed))]


def _states(header: Header, heads: Sequence[int]) -> list[int]:
    """Numbers of each layer's state."""
    size = _state_size(header)
    inner = header.integers(header.own("feed_forward_length"), len(heads))
    return [
        size if has else 0
        for has in _recurrent(header, heads, inner if header.architecture in _NEITHER else ())
    ]


def _recurrent(header: Header, heads: Sequence[int], others: Sequence[int]) -> list[bool]:
    """Which layers have a state, if the model has any: as the file says, else those that do not attend."""
    listed = header.flags(header.own("attention.recurrent_layers"), len(heads))
    every = _ATTENDS_EVERY.get(header.architecture)
    if every is not None and not listed:
        every = header.integer(header.own("full_attention_interval")) or every
        listed = [(layer + 1) % every != 0 for layer in range(len(heads))]
    if listed:
        return listed
    if header.architecture in _BOTH:
        return [True] * len(heads)
    idle = [*others, *[0] * (len(heads) - len(others))]
    return [not count and not other for count, other in zip(heads, idle, strict=True)]


def _state_size(header: Header) -> int:
    """Numbers of one layer's state: of the last tokens, and of all before them."""

    def own(name: str) -> int:
        return header.integer(header.own(name)) or 0

    width, heads = header.embedding_length, max(header.heads, default=0)
    inner, states, last = own("ssm.inner_size"), own("ssm.state_size"), max(own("ssm.conv_kernel") - 1, 0)
    if head := own("wkv.head_size"):
        shifts = header.integer(header.own("token_shift_count"))
        return width * ((2 if shifts is None else shifts) + head)
    if near := own("shortconv.l_cache"):
        return width * (near - 1) + states * inner
    if head := own("kda.head_dim"):
        return 3 * (last or 3) * heads * head + heads * head**2
    if header.architecture == "minimax-01":
        return heads * header.head_sizes()[0] ** 2
    return last * (inner + 2 * own("ssm.group_count") * states) + states * inner

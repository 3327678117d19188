"""Settings as llama.cpp's own parameter structures."""

import logging
from typing import Any

import llama_cpp.llama_cpp as lib
from jan_host import ModelLoadError
from jan_host.kit import free_memory, usable_cores

from jan_host_llamacpp.footprint import DEFAULT_CONTEXT, MEMORY_SHARE, MOST_PARALLEL
from jan_host_llamacpp.native import NativeModel
from jan_host_llamacpp.settings import Settings

_LOG = logging.getLogger(__name__)

_BF16 = 30  # GGML_TYPE_BF16 in ggml.h; llama-cpp-python names it not

_CACHE_TYPES: dict[str, tuple[int, float]] = {
    "f32": (lib.GGML_TYPE_F32, 4),
    "f16": (lib.GGML_TYPE_F16, 2),
    "bf16": (_BF16, 2),
    "q8_0": (lib.GGML_TYPE_Q8_0, 34 / 32),
    "q5_1": (lib.GGML_TYPE_Q5_1, 24 / 32),
    "q5_0": (lib.GGML_TYPE_Q5_0, 22 / 32),
    "q4_1": (lib.GGML_TYPE_Q4_1, 20 / 32),
    "q4_0": (lib.GGML_TYPE_Q4_0, 18 / 32),
    "iq4_nl": (lib.GGML_TYPE_IQ4_NL, 18 / 32),
}
"""llama.cpp's number, and bytes of one value (blocks of 32 values, ggml-common.h)."""

_FLASH = {
    "auto": lib.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": lib.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": lib.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    True: lib.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    False: lib.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_SPLIT = {
    "none": lib.LLAMA_SPLIT_MODE_NONE,
    "layer": lib.LLAMA_SPLIT_MODE_LAYER,
    "row": lib.LLAMA_SPLIT_MODE_ROW,
}
_SCALING = {
    None: lib.LLAMA_ROPE_SCALING_TYPE_UNSPECIFIED,
    "none": lib.LLAMA_ROPE_SCALING_TYPE_NONE,
    "linear": lib.LLAMA_ROPE_SCALING_TYPE_LINEAR,
    "yarn": lib.LLAMA_ROPE_SCALING_TYPE_YARN,
    "longrope": lib.LLAMA_ROPE_SCALING_TYPE_LONGROPE,
}


def model_params(settings: Settings) -> Any:
    """The parameters for loading the weights."""
    params = lib.llama_model_default_params()
    params.n_gpu_layers = settings.ngl
    params.main_gpu = settings.main_gpu
    params.split_mode = _SPLIT[settings.split_mode]
    params.check_tensors = settings.check_tensors
    modes = {
        (True, False): lib.LLAMA_LOAD_MODE_MMAP,
        (True, True): lib.LLAMA_LOAD_MODE_MMAP_MLOCK,
        (False, True): lib.LLAMA_LOAD_MODE_MLOCK,
        (False, False): lib.LLAMA_LOAD_MODE_NONE,
    }
    params.load_mode = modes[settings.use_mmap, settings.use_mlock]
    return params


def context_length(settings: Settings, trained: int, *, fixed: bool = False) -> int:
    """Tokens that one request may use.

    Args:
        settings: What the user set.
        trained: The context that the model was trained for, 0 when unknown.
        fixed: The model has no positions beyond that.

    Raises:
        ModelLoadError: More is wanted than the model has positions for.
    """
    if settings.ctx_len is None:
        return min(DEFAULT_CONTEXT, trained or DEFAULT_CONTEXT)
    if fixed and trained and settings.ctx_len > trained:
        raise ModelLoadError(
            f"ctx_len is {settings.ctx_len}, and the model has positions for {trained} tokens. Set less.",
            param="settings.ctx_len",
        )
    if trained and settings.ctx_len > trained:
        _LOG.warning(
            "ctx_len %d is more than the %d tokens that the model was trained for", settings.ctx_len, trained
        )
    return settings.ctx_len


def parallel_sequences(settings: Settings, context: int, model: NativeModel) -> int:
    """How many sequences to generate at the same time.

    Args:
        settings: What the user set.
        context: Tokens that each may use.
        model: The model; its KV cache must fit.
    """
    if settings.n_parallel is not None:
        return settings.n_parallel
    key, value = _CACHE_TYPES[settings.cache_type_k], _CACHE_TYPES[settings.cache_type_v]
    one = context * model.kv_bytes_per_token(key[1], value[1])
    return max(1, min(MOST_PARALLEL, int(free_memory() * MEMORY_SHARE / max(one, 1))))


def context_params(settings: Settings, context: int, parallel: int) -> Any:
    """The parameters of a context for `parallel` sequences of `context` tokens each.

    Raises:
        ModelLoadError: Settings that don't go together.
    """
    flash = _FLASH[settings.flash_attn]
    if flash == lib.LLAMA_FLASH_ATTN_TYPE_DISABLED and _CACHE_TYPES[settings.cache_type_v][1] < 2:
        raise ModelLoadError(
            f"cache_type_v {settings.cache_type_v} needs flash attention. Set flash_attn to auto, or"
            " cache_type_v to f16.",
            param="settings.cache_type_v",
        )
    if context * parallel > 2**31 - 1:
        raise ModelLoadError(
            f"A KV cache of {parallel} times {context} tokens is too large. Lower ctx_len or n_parallel.",
            param="settings.ctx_len",
        )
    params = lib.llama_context_default_params()
    params.n_ctx = context * parallel
    params.n_seq_max = parallel
    params.n_batch = min(max(settings.n_batch, parallel), context * parallel)
    params.n_ubatch = min(settings.n_ubatch, params.n_batch)
    params.n_threads = _threads(settings.cpu_threads) or usable_cores()
    params.n_threads_batch = _threads(settings.cpu_threads_batch) or params.n_threads
    params.flash_attn_type = flash
    params.kv_unified = settings.kv_layout == "unified"
    params.type_k = _CACHE_TYPES[settings.cache_type_k][0]
    params.type_v = _CACHE_TYPES[settings.cache_type_v][0]
    params.offload_kqv = settings.offload_kqv
    params.swa_full = settings.swa_full
    _set_positions(params, settings)
    return params


def encoder_params(settings: Settings, length: int, texts: int, *, whole: bool) -> Any:
    """The parameters of a context that reads `texts` texts at once, the longest of `length` tokens.

    With `whole`, all tokens of a text must be computed at once; else `n_batch` of them are, since llama.cpp
    keeps a row of the vocabulary for each. Flash attention only where it was asked for: a vector
    would depend on its neighbours (measured: cosine 0.74 to 0.98).
    """
    params = context_params(settings, max(length, settings.n_batch, texts), 1)
    params.n_seq_max = texts
    params.kv_unified = True
    # A batch for fewer tokens than sequences would end the process.
    params.n_batch = params.n_ubatch = params.n_ctx if whole else max(settings.n_batch, texts)
    params.embeddings = True
    params.type_k = params.type_v = lib.GGML_TYPE_F16
    if settings.flash_attn == "auto":
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return params


def _set_positions(params: Any, settings: Settings) -> None:
    params.rope_scaling_type = _SCALING[settings.rope_scaling]
    params.rope_freq_base = settings.rope_freq_base
    params.rope_freq_scale = settings.rope_freq_scale
    params.yarn_orig_ctx = settings.yarn_orig_ctx
    params.yarn_ext_factor = settings.yarn_ext_factor
    params.yarn_attn_factor = settings.yarn_attn_factor
    params.yarn_beta_fast = settings.yarn_beta_fast
    params.yarn_beta_slow = settings.yarn_beta_slow


def _threads(setting: int | str | None) -> int | None:
    return setting if isinstance(setting, int) else None

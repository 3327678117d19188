"""Settings as llama.cpp's own parameter structures."""

import ctypes
import logging
from typing import Any

import llama_cpp.llama_cpp as lib
from jan_host import ModelLoadError
from jan_host.kit import usable_cores

from jan_host_llamacpp.settings import MOST_DEVICES, Settings
from jan_host_llamacpp.sizing import DEFAULT_CONTEXT

_LOG = logging.getLogger(__name__)

_BF16 = 30  # GGML_TYPE_BF16 in ggml.h; llama-cpp-python names it not

_CACHE_TYPES = {
    "f32": lib.GGML_TYPE_F32,
    "f16": lib.GGML_TYPE_F16,
    "bf16": _BF16,
    "q8_0": lib.GGML_TYPE_Q8_0,
    "q5_1": lib.GGML_TYPE_Q5_1,
    "q5_0": lib.GGML_TYPE_Q5_0,
    "q4_1": lib.GGML_TYPE_Q4_1,
    "q4_0": lib.GGML_TYPE_Q4_0,
    "iq4_nl": lib.GGML_TYPE_IQ4_NL,
}

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
    if lib.llama_supports_gpu_offload():
        _set_devices(params, settings)
    params.check_tensors = settings.check_tensors
    modes = {
        (True, False): lib.LLAMA_LOAD_MODE_MMAP,
        (True, True): lib.LLAMA_LOAD_MODE_MMAP_MLOCK,
        (False, True): lib.LLAMA_LOAD_MODE_MLOCK,
        (False, False): lib.LLAMA_LOAD_MODE_NONE,
    }
    params.load_mode = modes[settings.use_mmap, settings.use_mlock]
    return params


def _set_devices(params: Any, settings: Settings) -> None:
    """Where the weights go; without a device llama.cpp would refuse `main_gpu` with `split_mode` none."""
    params.n_gpu_layers = settings.ngl
    params.main_gpu = settings.main_gpu
    params.split_mode = _SPLIT[settings.split_mode]
    if settings.tensor_split is not None:
        shares = (ctypes.c_float * max(lib.llama_max_devices(), MOST_DEVICES))(*settings.tensor_split)
        params.tensor_split = ctypes.cast(shares, ctypes.POINTER(ctypes.c_float))


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


def context_params(settings: Settings, context: int, parallel: int) -> Any:
    """The parameters of a context for `parallel` sequences of `context` tokens each."""
    params = lib.llama_context_default_params()
    params.n_ctx = context * parallel
    params.n_seq_max = parallel
    params.n_batch = min(max(settings.n_batch, parallel), context * parallel)
    params.n_ubatch = min(settings.n_ubatch, params.n_batch)
    params.n_threads = _threads(settings.cpu_threads) or usable_cores()
    params.n_threads_batch = _threads(settings.cpu_threads_batch) or params.n_threads
    params.flash_attn_type = _FLASH[settings.flash_attn]
    params.kv_unified = settings.kv_layout == "unified"
    params.type_k = _CACHE_TYPES[settings.cache_type_k]
    params.type_v = _CACHE_TYPES[settings.cache_type_v]
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


def projector_threads(settings: Settings) -> int:
    """CPU threads for looking at images: as many as for prompts."""
    return _threads(settings.cpu_threads_batch) or _threads(settings.cpu_threads) or usable_cores()


def _threads(setting: int | str | None) -> int | None:
    return setting if isinstance(setting, int) else None

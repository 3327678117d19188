"""Tiny models of random weights for each way in which images go through a model, and llama.cpp's own answer.

The answer comes from mtmd's helper, which computes a whole prompt by itself: what the engine says must be the
same, whatever it shares and however it cuts its batches.
"""

import ctypes
from pathlib import Path
from typing import Any

import gguf
import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd
import numpy as np
import numpy.typing as npt

from tests.plugins.llamacpp.vision.eyes import (
    LAYERS,
    PATCH_SIZE,
    VISION_WIDTH,
    WIDTH,
    add_vocabulary,
    clip_writer,
)
from tests.plugins.llamacpp.writing import close

Array = npt.NDArray[np.float32]


class Weights:
    """Random weights, the same for each file."""

    def __init__(self, writer: gguf.GGUFWriter, seed: int) -> None:
        self._writer = writer
        self._chance = np.random.default_rng(seed)

    def add(self, name: str, *shape: int, scale: float = 0.2) -> None:
        values = self._chance.standard_normal(shape, np.float32) * scale
        if "norm" in name or "ln" in name:
            values = values * (0.1 if name.endswith("bias") else 0.5) + (not name.endswith("bias"))
        self._writer.add_tensor(name, values.astype(np.float32))


def write_plane_model(path: Path) -> Path:
    """A model whose positions lie in a plane (M-RoPE): Qwen2-VL's."""
    writer = _text_writer(path, "qwen2vl")
    writer.add_rope_dimension_sections([2, 3, 3, 0])
    return _text_weights(writer, path, biases=True)


def write_plane_clip(path: Path) -> Path:
    """Qwen2-VL's projector: images of any size, two by two patches for each vector."""
    writer = clip_writer(path, "qwen2vl_merger", image_size=32, patch_size=PATCH_SIZE, width=WIDTH)
    weights = Weights(writer, 2)
    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):
        weights.add(name, VISION_WIDTH, 3, PATCH_SIZE, PATCH_SIZE)
    _blocks(weights)
    for part in ("weight", "bias"):
        weights.add(f"v.post_ln.{part}", VISION_WIDTH)
    _linear(weights, "mm.0", 4 * VISION_WIDTH, 4 * VISION_WIDTH)
    _linear(weights, "mm.2", 4 * VISION_WIDTH, WIDTH)
    return close(writer, path)


def write_mutual_model(path: Path) -> Path:
    """A model that reads images whole: Gemma 3's."""
    writer = _text_writer(path, "gemma3")
    writer.add_key_length(16)
    writer.add_value_length(16)
    writer.add_sliding_window(1024)
    return _text_weights(writer, path, gemma=True)


def write_mutual_clip(path: Path) -> Path:
    """Gemma 3's projector, whose vectors see each other in the model."""
    writer = clip_writer(path, "gemma3", image_size=64, patch_size=PATCH_SIZE, width=WIDTH)
    writer.add_uint32("clip.vision.projector.scale_factor", 4)
    weights = Weights(writer, 3)
    weights.add("v.patch_embd.weight", VISION_WIDTH, 3, PATCH_SIZE, PATCH_SIZE)
    weights.add("v.patch_embd.bias", VISION_WIDTH)
    weights.add("v.position_embd.weight", (64 // PATCH_SIZE) ** 2, VISION_WIDTH)
    _blocks(weights)
    for part in ("weight", "bias"):
        weights.add(f"v.post_ln.{part}", VISION_WIDTH)
    weights.add("mm.input_projection.weight", VISION_WIDTH, WIDTH)
    weights.add("mm.soft_emb_norm.weight", VISION_WIDTH)
    return close(writer, path)


def helper_logprobs(
    model_file: Path, clip_file: Path, text: str, images: list[tuple[int, int, bytes]]
) -> Array:
    """What the model says next, by mtmd's own helper: log probabilities over the vocabulary.

    Args:
        model_file: The model.
        clip_file: Its projector.
        text: The rendered prompt, with mtmd's marker for each image.
        images: Width, height and RGB of each.
    """
    model = lib.llama_model_load_from_file(str(model_file).encode(), lib.llama_model_default_params())
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 512
    context = lib.llama_init_from_model(model, params)
    options = mtmd.mtmd_context_params_default()
    options.use_gpu, options.warmup, options.n_threads = False, False, 2
    seeing = mtmd.mtmd_init_from_file(str(clip_file).encode(), model, options)
    assert seeing
    bitmaps = [mtmd.mtmd_bitmap_init(wide, high, _bytes(data)) for wide, high, data in images]
    chunks = mtmd.mtmd_input_chunks_init()
    encoded = text.encode()
    given = mtmd.mtmd_input_text(encoded, len(encoded), True, True)
    array = (mtmd.mtmd_bitmap_p_ctypes * len(bitmaps))(*bitmaps)
    assert mtmd.mtmd_tokenize(seeing, chunks, ctypes.byref(given), array, len(bitmaps)) == 0
    past = lib.llama_pos()
    arguments = (seeing, context, chunks, 0, 0, 512, True, ctypes.byref(past))
    assert mtmd.mtmd_helper_eval_chunks(*arguments) == 0
    size = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    logits: Array = np.ctypeslib.as_array(lib.llama_get_logits_ith(context, -1), (size,)).copy()
    mtmd.mtmd_input_chunks_free(chunks)
    for bitmap in bitmaps:
        mtmd.mtmd_bitmap_free(bitmap)
    mtmd.mtmd_free(seeing)
    lib.llama_free(context)
    lib.llama_model_free(model)
    scores: Array = logits - np.logaddexp.reduce(logits.astype(np.float64)).astype(np.float32)
    return scores


def _bytes(data: bytes) -> Any:
    return (ctypes.c_uint8 * len(data)).from_buffer_copy(data)


def _text_writer(path: Path, architecture: str) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(path.stem)
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    return writer


def _text_weights(writer: gguf.GGUFWriter, path: Path, *, biases: bool = False, gemma: bool = False) -> Path:
    size = len(add_vocabulary(writer))
    weights = Weights(writer, 1)
    weights.add("token_embd.weight", size, WIDTH, scale=1.0)
    weights.add("output.weight", size, WIDTH, scale=0.5)
    weights.add("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        name = f"blk.{layer}"
        for norm in ("attn_norm", "ffn_norm"):
            weights.add(f"{name}.{norm}.weight", WIDTH)
        if gemma:
            for norm in ("post_attention_norm", "post_ffw_norm"):
                weights.add(f"{name}.{norm}.weight", WIDTH)
            for norm in ("attn_q_norm", "attn_k_norm"):
                weights.add(f"{name}.{norm}.weight", 16)
        for part in ("attn_q", "attn_k", "attn_v"):
            weights.add(f"{name}.{part}.weight", WIDTH, WIDTH)
            if biases:
                weights.add(f"{name}.{part}.bias", WIDTH)
        weights.add(f"{name}.attn_output.weight", WIDTH, WIDTH)
        weights.add(f"{name}.ffn_gate.weight", 2 * WIDTH, WIDTH)
        weights.add(f"{name}.ffn_up.weight", 2 * WIDTH, WIDTH)
        weights.add(f"{name}.ffn_down.weight", WIDTH, 2 * WIDTH)
    return close(writer, path)


def _blocks(weights: Weights) -> None:
    for layer in range(LAYERS):
        name = f"v.blk.{layer}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            _linear(weights, f"{name}.{part}", VISION_WIDTH, VISION_WIDTH)
        _linear(weights, f"{name}.ffn_up", VISION_WIDTH, 2 * VISION_WIDTH)
        _linear(weights, f"{name}.ffn_down", 2 * VISION_WIDTH, VISION_WIDTH)
        for norm in ("ln1", "ln2"):
            for part in ("weight", "bias"):
                weights.add(f"{name}.{norm}.{part}", VISION_WIDTH)


def _linear(weights: Weights, name: str, inward: int, outward: int) -> None:
    weights.add(f"{name}.weight", outward, inward)
    weights.add(f"{name}.bias", outward)

"""Small models with random weights, of architectures whose sequences can't be cut everywhere."""

from pathlib import Path
from typing import Final

import gguf
import numpy as np

from tests.plugins.llamacpp.writing import close

WINDOW: Final = 16
"""Tokens that `write_windowed` attends to in most layers."""
_WIDTH, _INNER, _LAYERS = 64, 128, 6
_SPECIAL = ("<unk>", "<s>", "</s>")
_UNKNOWN, _CONTROL, _BYTE = 2, 3, 6


def write_recurrent(path: Path) -> Path:
    """A Mamba: it keeps one state of all that it read."""
    state, rank, kernel = 16, 4, 4
    writer = _writer(path, "mamba")
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(_INNER)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    for layer in range(_LAYERS):
        add = _Layer(writer, layer)
        add.ones("attn_norm.weight", _WIDTH)
        add.noise("ssm_in.weight", 2 * _INNER, _WIDTH)
        add.noise("ssm_conv1d.weight", _INNER, kernel)
        add.noise("ssm_conv1d.bias", _INNER)
        add.noise("ssm_x.weight", rank + 2 * state, _INNER)
        add.noise("ssm_dt.weight", _INNER, rank)
        add.noise("ssm_dt.bias", _INNER)
        add.put("ssm_a", -np.tile(np.arange(1, state + 1, dtype=np.float32), (_INNER, 1)))
        add.ones("ssm_d", _INNER)
        add.noise("ssm_out.weight", _WIDTH, _INNER)
    return close(writer, path)


def write_windowed(path: Path) -> Path:
    """A Gemma 3: five of its six layers see the last `WINDOW` tokens only."""
    heads, head = 4, 16
    writer = _writer(path, "gemma3")
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(heads)
    writer.add_head_count_kv(1)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_sliding_window(WINDOW)
    writer.add_rope_freq_base(10_000.0)
    for layer in range(_LAYERS):
        add = _Layer(writer, layer)
        for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            add.ones(f"{name}.weight", _WIDTH)
        add.ones("attn_q_norm.weight", head)
        add.ones("attn_k_norm.weight", head)
        add.noise("attn_q.weight", heads * head, _WIDTH)
        add.noise("attn_k.weight", head, _WIDTH)
        add.noise("attn_v.weight", head, _WIDTH)
        add.noise("attn_output.weight", _WIDTH, heads * head)
        add.noise("ffn_gate.weight", _INNER, _WIDTH)
        add.noise("ffn_up.weight", _INNER, _WIDTH)
        add.noise("ffn_down.weight", _WIDTH, _INNER)
    return close(writer, path)


class _Layer:
    """Adds the tensors of one layer."""

    def __init__(self, writer: gguf.GGUFWriter, number: int) -> None:
        self._writer = writer
        self._prefix = f"blk.{number}."
        self._random = np.random.default_rng(number)

    def noise(self, name: str, *shape: int) -> None:
        self.put(name, self._random.standard_normal(shape, np.float32) / np.sqrt(np.float32(shape[-1])))

    def ones(self, name: str, *shape: int) -> None:
        self.put(name, np.ones(shape, np.float32))

    def put(self, name: str, values: np.ndarray) -> None:
        self._writer.add_tensor(self._prefix + name, np.ascontiguousarray(values, np.float32))


def _writer(path: Path, architecture: str) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(path.stem)
    writer.add_block_count(_LAYERS)
    writer.add_context_length(2048)
    writer.add_embedding_length(_WIDTH)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(0)
    tokens = [*_SPECIAL, *(f"<0x{value:02X}>" for value in range(256))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    embeddings = np.random.default_rng(99).standard_normal((len(tokens), _WIDTH), np.float32)
    writer.add_tensor("token_embd.weight", embeddings)
    writer.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    return writer

"""BERT encoders as GGUF files, from a checkpoint's weights or from random ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.plugins.llamacpp.writing import close
from tests.plugins.onnx.encoders.bert import Shape, Weights

_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_OUTER = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
    "pooler.dense.weight": "cls.weight",
    "pooler.dense.bias": "cls.bias",
    "classifier.weight": "cls.output.weight",
    "classifier.bias": "cls.output.bias",
}
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3


def write_bert(
    path: Path,
    shape: Shape,
    weights: Weights,
    vocabulary: Mapping[str, int],
    *,
    pooling: int | None = 1,
    head: bool = False,
) -> Path:
    """A file as llama.cpp's converter makes it of a BERT checkpoint.

    Args:
        path: Where.
        shape: Its sizes.
        weights: Named as in a checkpoint.
        vocabulary: WordPiece tokens and their ids.
        pooling: llama.cpp's number of how to pool; ``None`` to say nothing.
        head: Write pooler and classifier too.
    """
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(path.stem)
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.positions)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(4 * shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_file_type(0)
    if pooling is not None:
        writer.add_uint32("bert.pooling_type", pooling)
    _add_vocabulary(writer, vocabulary)
    for name, value in weights.items():
        if (renamed := _renamed(name, head)) is not None:
            writer.add_tensor(renamed, np.ascontiguousarray(value, np.float32))
    return close(writer, path)


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Mapping[str, int]) -> None:
    ordered = sorted(vocabulary, key=vocabulary.__getitem__)
    special = {"[PAD]", "[CLS]", "[SEP]", "[MASK]"}
    kinds = {"[UNK]": _UNKNOWN, **dict.fromkeys(special, _CONTROL)}
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(2)
    # WordPiece marks what goes on with a word, llama.cpp what begins one.
    writer.add_token_list(
        [
            piece if piece in kinds else piece[2:] if piece.startswith("##") else f"\u2581{piece}"
            for piece in ordered
        ]
    )
    writer.add_token_types([kinds.get(piece, _NORMAL) for piece in ordered])
    ids: dict[str, Any] = {
        "bos": "[CLS]",
        "cls": "[CLS]",
        "eos": "[SEP]",
        "seperator": "[SEP]",
        "unknown": "[UNK]",
        "padding": "[PAD]",
        "mask": "[MASK]",
    }
    for name, piece in ids.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", vocabulary[piece])


def _renamed(name: str, head: bool) -> str | None:
    if name in _OUTER:
        return _OUTER[name] if head or not _OUTER[name].startswith("cls.") else None
    base, _, rest = name.removeprefix("encoder.layer.").partition(".")
    part, _, kind = rest.rpartition(".")
    return f"blk.{base}.{_LAYER[part]}.{kind}" if part in _LAYER else None

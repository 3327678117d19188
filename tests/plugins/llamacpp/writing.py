"""GGUF files for tests, written with the `gguf` package and by hand."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np


def write_model(
    path: Path, *, architecture: str = "llama", tokens: int = 4, layers: int = 2, **fields: Any
) -> Path:
    """A small model with the keys that a header needs, and further keys; ``__`` stands for a dot."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(path.stem)
    writer.add_block_count(layers)
    writer.add_context_length(2048)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(128)
    writer.add_head_count(8)
    writer.add_head_count_kv(2)
    writer.add_file_type(7)
    writer.add_token_list([f"token {index}" for index in range(tokens)])
    writer.add_token_scores([0.0] * tokens)
    add_fields(writer, fields)
    writer.add_tensor("token_embd.weight", np.zeros((tokens, 64), dtype=np.float32))
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((64, 64), dtype=np.float16))
    return close(writer, path)


def add_fields(writer: gguf.GGUFWriter, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        key = name.replace("__", ".")
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)


def write_projector(path: Path, width: int = 64) -> Path:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_uint32("clip.vision.projection_dim", width)
    writer.add_file_type(1)
    writer.add_tensor("mm.0.weight", np.zeros((4, 4), dtype=np.float16))
    return close(writer, path)


def close(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def raw(*, keys: bytes = b"", key_count: int = 0, tensors: bytes = b"", tensor_count: int = 0) -> bytes:
    """A header by hand, for what the package refuses to write."""
    return b"GGUF" + struct.pack("<IQQ", 3, tensor_count, key_count) + keys + tensors


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    return (
        text(name)
        + struct.pack("<I", len(shape))
        + struct.pack(f"<{len(shape)}Q", *shape)
        + struct.pack("<IQ", kind, offset)
    )


def with_token_ids(source: Path, target: Path, **ids: int) -> Path:
    """A copy of a model whose metadata names further tokens, such as ``fim_pre``."""
    data = source.read_bytes()
    tensors, keys = struct.unpack_from("<QQ", data, 8)
    added = b"".join(
        text(f"tokenizer.ggml.{name}_token_id") + struct.pack("<II", 4, token) for name, token in ids.items()
    )
    # What is added must not shift the tensors behind it off their alignment.
    head = len(text("filling")) + 4 + 8
    filling = "x" * (-(len(added) + head) % 32)
    added += text("filling") + struct.pack("<I", 8) + text(filling)
    target.write_bytes(data[:8] + struct.pack("<QQ", tensors, keys + len(ids) + 1) + added + data[24:])
    return target

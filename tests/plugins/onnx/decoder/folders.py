"""Folders with SmolLM2 in ONNX, built once and kept in the tests' cache."""

import json
import os
import shutil
from pathlib import Path

from tests.models import smollm2_file
from tests.plugins.onnx.decoder.graph import DecoderGraph, Variant
from tests.plugins.onnx.decoder.weights import Weights, write_json_files

VARIANTS = {
    "plain": Variant(),
    "unplaced": Variant(positions=False),
    "gqa": Variant("gqa", positions=False),
    "gqa-f16": Variant("gqa", "float16", positions=False),
    "gqa-q4": Variant("gqa", bits=4, positions=False),
}
_VERSION = 1
"""Raise it when what is written changes."""


def decoder_folder(name: str) -> Path:
    """A folder as hubs publish it: ``onnx/model.onnx`` and the JSON files above it."""
    folder = smollm2_file().parent / f"smollm2-onnx-{name}-{_VERSION}"
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        (partial / "onnx").mkdir(parents=True, exist_ok=True)
        weights = Weights(smollm2_file())
        write_json_files(weights, partial)
        DecoderGraph(weights, VARIANTS[name]).save(partial / "onnx" / "model.onnx")
        _put(partial, folder)
    return folder


def genai_folder() -> Path:
    """A folder in onnxruntime-genai's layout, around the graph of ``gqa``."""
    source = decoder_folder("gqa")
    folder = source.with_name(f"smollm2-genai-{_VERSION}")
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        for path in (*source.glob("*.json"), *source.glob("onnx/*")):
            os.link(path, partial / path.name)
        weights = Weights(smollm2_file())
        (partial / "genai_config.json").write_text(json.dumps(_genai_config(weights), indent=2))
        _put(partial, folder)
    return folder


def _put(partial: Path, folder: Path) -> None:
    """Rename, unless another process was quicker."""
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial)


def _genai_config(weights: Weights) -> dict[str, object]:
    shape = weights.shape
    eos = weights.field("tokenizer.ggml.eos_token_id")
    decoder = {
        "filename": "model.onnx",
        "head_size": shape.head_dim,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "session_options": {"provider_options": []},
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    model = {
        "type": "llama",
        "bos_token_id": weights.field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": [eos, 0],
        "pad_token_id": eos,
        "context_length": shape.context,
        "vocab_size": shape.vocabulary,
        "decoder": decoder,
    }
    search = {"do_sample": False, "max_length": shape.context, "past_present_share_buffer": True}
    return {"model": model, "search": search}

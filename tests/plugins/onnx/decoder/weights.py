"""SmolLM2's weights and vocabulary, out of its GGUF file."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader
from gguf.quants import dequantize

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """The numbers that the graph is built with."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    intermediate: int
    context: int
    rope_theta: float
    epsilon: float


class Tensors(Protocol):
    """What a graph is made of."""

    @property
    def shape(self) -> Shape:
        """The model's numbers."""
        ...

    def get(self, name: str) -> Array:
        """A tensor by its GGUF name, as float32: ``[out, in]`` for matrices."""
        ...

    def rotated(self, name: str, heads: int) -> Array:
        """A query or key matrix with the halves of each head apart."""
        ...


class Weights:
    """A GGUF file of the Llama architecture."""

    def __init__(self, path: Path) -> None:
        self._reader = GGUFReader(path)
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}

    def field(self, name: str) -> Any:
        """A value of the header."""
        return self._reader.fields[name].contents()

    @cached_property
    def shape(self) -> Shape:
        """The model's numbers."""
        heads, hidden = self.field("llama.attention.head_count"), self.field("llama.embedding_length")
        return Shape(
            layers=self.field("llama.block_count"),
            hidden=hidden,
            heads=heads,
            kv_heads=self.field("llama.attention.head_count_kv"),
            head_dim=hidden // heads,
            vocabulary=self.field("llama.vocab_size"),
            intermediate=self.field("llama.feed_forward_length"),
            context=self.field("llama.context_length"),
            rope_theta=self.field("llama.rope.freq_base"),
            epsilon=self.field("llama.attention.layer_norm_rms_epsilon"),
        )

    def get(self, name: str) -> Array:
        """A tensor as float32: ``[out, in]`` for matrices."""
        tensor = self._tensors[name]
        return np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), np.float32)

    def rotated(self, name: str, heads: int) -> Array:
        """A query or key matrix with the halves of each head apart, as Hugging Face has them.

        GGUF interleaves them for llama.cpp's rotation (`permute` in convert_hf_to_gguf.py); this undoes it.
        """
        matrix = self.get(name)
        rows = matrix.shape[0]
        split = matrix.reshape(heads, rows // heads // 2, 2, -1)
        return np.ascontiguousarray(split.swapaxes(1, 2).reshape(rows, -1))

    def tokens(self) -> list[str]:
        """The vocabulary, in byte-level BPE's letters."""
        found: list[str] = self.field("tokenizer.ggml.tokens")
        return found

    def control(self) -> list[int]:
        """The ids of the control tokens."""
        return [index for index, kind in enumerate(self.field("tokenizer.ggml.token_type")) if kind == 3]


def write_json_files(weights: Weights, folder: Path) -> None:
    """The files that stand beside the graph: configuration, tokenizer, chat template."""
    shape, tokens = weights.shape, weights.tokens()
    bos, eos = weights.field("tokenizer.ggml.bos_token_id"), weights.field("tokenizer.ggml.eos_token_id")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "bos_token_id": bos,
        "eos_token_id": eos,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.context,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "vocab_size": shape.vocabulary,
    }
    _write(folder / "config.json", config)
    _write(folder / "generation_config.json", {"bos_token_id": bos, "eos_token_id": [eos, 0]})
    _write(
        folder / "tokenizer_config.json",
        {
            "bos_token": tokens[bos],
            "eos_token": tokens[eos],
            "unk_token": tokens[0],
            "chat_template": weights.field("tokenizer.chat_template"),
            "model_max_length": shape.context,
            "tokenizer_class": "GPT2Tokenizer",
        },
    )
    write_tokenizer(weights, folder / "tokenizer.json")


def write_tokenizer(weights: Weights, path: Path) -> None:
    """The vocabulary as a tokenizer.json: byte-level BPE that cuts digits apart, as SmolLM's does."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = weights.tokens()
    merges = [tuple(merge.split(" ")) for merge in weights.field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(tokens[i], special=True, normalized=False) for i in weights.control()]
    )
    tokenizer.save(str(path))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2))
